"""Build wheel and sdist, check them, and try the wheel in an environment that does not have the repository.

    python scripts/build.py                  # builds into dist/, checks, installs and starts the command
    python scripts/build.py --quickstart     # also trains the quickstart there, from another folder
    python scripts/build.py --clean          # installs every dependency anew, instead of borrowing this environment's

Needs the packages of the extra `dist`: `pip install -e '.[dist]'`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SDIST_NEEDS = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "tests/test_docs.py")
"""Files without which the package cannot be built and tested from its source archive."""


def main() -> None:
    """Run the steps, and stop at the first one that fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where wheel and sdist go (default: dist)")
    parser.add_argument("--quickstart", action="store_true", help="also train the quickstart, some minutes")
    parser.add_argument("--clean", action="store_true", help="install all dependencies anew, gigabytes")
    parser.add_argument("--extras", default="", help="with --clean: extras to install, such as llm,search")
    parser.add_argument("--python", default=sys.executable, help="with --clean: the interpreter (default: this one)")
    options = parser.parse_args()
    wheel, sdist = build(options.out)
    check_wheel(wheel)
    check_sdist(sdist)
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    with tempfile.TemporaryDirectory(prefix="equipoise-wheel-") as folder:
        environment = Path(folder) / "venv"
        if options.clean:
            install_clean(environment, wheel, options.extras, options.python)
        else:
            install_borrowing(environment, wheel)
        try_out(environment / "bin", Path(folder), quickstart=options.quickstart)
    print(f"Fine: {wheel} and {sdist.name}")


def build(out: Path) -> tuple[Path, Path]:
    """Build into an empty folder, and return wheel and sdist. The wheel is built from the sdist."""
    with tempfile.TemporaryDirectory(prefix="equipoise-dist-") as folder:
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
        out.mkdir(parents=True, exist_ok=True)
        (wheel,), (sdist,) = Path(folder).glob("*.whl"), Path(folder).glob("*.tar.gz")
        return Path(shutil.copy(wheel, out)), Path(shutil.copy(sdist, out))


def check_wheel(wheel: Path) -> None:
    """Compare the wheel's files with those of the repository: templates, pages and YAML files are easily left out."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "equipoise").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in packed if ".dist-info/" not in name}
    if found != wanted:
        sys.exit(f"{wheel.name}: found {sorted(found - wanted)} too many, {sorted(wanted - found)} missing.")
    print(f"{wheel.name}: {len(found)} files, {wheel.stat().st_size / 1e6:.1f} MB")


def check_sdist(sdist: Path) -> None:
    """Look for what is needed to build and test, and for what has no business there."""
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in SDIST_NEEDS if name not in packed]
    strange = [name for name in packed if name.split("/")[0] in (".venv", ".ci", "runs", "dist", "site")]
    if missing or strange:
        sys.exit(f"{sdist.name}: {missing} missing, {strange[:5]} too many.")
    print(f"{sdist.name}: {len(packed)} files, {sdist.stat().st_size / 1e6:.1f} MB")


def install_borrowing(environment: Path, wheel: Path) -> None:
    """Install the wheel alone, beside the dependencies of the environment that runs this script.

    Its folder of packages is named in a .pth file, whose own .pth files are not read: the repository, which an editable
    install adds by one, is not seen.
    """
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [environment / "bin" / "python", "-m", "pip"]
    run(*pip, "install", "-q", "--no-deps", "--no-index", "--ignore-installed", wheel)
    run(*pip, "check")


def install_clean(environment: Path, wheel: Path, extras: str, python: str) -> None:
    """Install the wheel and all that it needs, at the versions of constraints.txt."""
    started = time.monotonic()
    run(python, "-m", "venv", environment)
    wanted = f"equipoise[{extras}] @ {wheel.resolve().as_uri()}" if extras else wheel
    run(environment / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wanted)
    run(environment / "bin" / "pip", "check")
    print(f"Installed everything in {(time.monotonic() - started) / 60:.1f} minutes.")


def try_out(bin_: Path, folder: Path, *, quickstart: bool) -> None:
    """Start the command and import the package from an empty folder, without what points to the repository."""
    empty = folder / "empty"
    empty.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    code = (
        "import equipoise; print(equipoise.__file__, equipoise.__version__); equipoise.DynamicAdaptiveLoss(['a', 'b'])"
    )
    shown = run(bin_ / "python", "-c", code, cwd=empty, env=variables, quiet=True)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if not shown.startswith(str(folder.resolve())) or shown.split()[-1] != version:
        sys.exit(f"import equipoise: found {shown.strip()}, expected version {version} below {folder}.")
    command = bin_ / "equipoise"
    for arguments in (["--help"], ["list"], ["list", "keys"], ["list", "kinds"], ["train", "--help"]):
        run(command, *arguments, cwd=empty, env=variables, quiet=True)
    if quickstart:
        run(command, "quickstart", cwd=empty, env=variables)
        text = "The plot is thin, but I loved every minute."
        run(command, "predict", "runs/quickstart", text, cwd=empty, env=variables)
        if not (empty / "runs" / "quickstart" / "report.html").is_file():
            sys.exit("quickstart: found no report.")


def run(*command: object, quiet: bool = False, **options: object) -> str:
    """Run a command, stop where it fails, and return what it printed where it is to be quiet."""
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE if quiet else None, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{done.stdout or ''}\n{words[0]} ended with {done.returncode}.")
    return done.stdout or ""


if __name__ == "__main__":
    main()
