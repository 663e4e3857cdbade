"""A bidirectional LSTM with its own vocabulary: the classic alternative to a pre-trained backbone.

Zhou et al. (2016), "Attention-Based Bidirectional Long Short-Term Memory Networks for Relation Classification", ACL,
P16-2034. A token's hidden state is the sum of both directions', and `AttentionPooling` makes one vector of them.
Deviations: the word embeddings are learnt from random numbers, not taken from GloVe, a word is lower-cased, and the
optimiser is the run's.
"""

from collections.abc import Collection
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.modeling_outputs import BaseModelOutput

from equipoise.errors import ModelError

from .quiet import quiet_transformers

MOST_WORDS = 30_000
MIN_COUNT = 2
_PADDING, _UNKNOWN, _SEPARATOR = "[PAD]", "[UNK]", "[SEP]"


class BiLstmConfig(PreTrainedConfig):
    """Shape of a `BiLstmModel`.

    Args:
        vocab_size: tokens of the vocabulary.
        embedding_size: width of the word embeddings.
        hidden_size: width of each direction, and of the hidden states, which are the directions' sum.
        num_hidden_layers: LSTM layers.
        dropout: share of the entries dropped from embeddings and hidden states in training.
        initializer_range: standard deviation of the first word embeddings.
        pad_token_id: the token whose embedding stays zero.
        options: those of `transformers.PreTrainedConfig`.
    """

    model_type = "bilstm"

    vocab_size: int = 1
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 1
    dropout: float = 0.3
    initializer_range: float = 0.1
    pad_token_id: int = 0


class BiLstmModel(PreTrainedModel):
    """Embeddings and a bidirectional LSTM; padding, which stands on the right, changes no hidden state."""

    config: BiLstmConfig
    config_class = BiLstmConfig

    def __init__(self, config: BiLstmConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.lstm = nn.LSTM(
            config.embedding_size,
            config.hidden_size,
            config.num_hidden_layers,
            batch_first=True,
            dropout=config.dropout if config.num_hidden_layers > 1 else 0.0,
            bidirectional=True,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings."""
        return self.embeddings

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> BaseModelOutput:
        """Encode rows × tokens to a `last_hidden_state` of rows × tokens × hidden_size, zero on padding."""
        words = self.dropout(self.embeddings(input_ids))
        lengths = attention_mask.sum(dim=1).cpu()
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        both, _lengths = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        forwards, backwards = both.chunk(2, dim=-1)
        return BaseModelOutput(last_hidden_state=self.dropout(forwards + backwards))


AutoConfig.register(BiLstmConfig.model_type, BiLstmConfig)
AutoModel.register(BiLstmConfig, BiLstmModel)


def new_bilstm(texts: Collection[str]) -> tuple[BiLstmModel, PreTrainedTokenizerFast]:
    """Make an untrained BiLSTM and the tokenizer of its training texts.

    The first weights are drawn from torch's random state.

    Args:
        texts: the training texts; a word counts once for each place where it stands.

    Raises:
        ModelError: no word stands twice in the texts.
    """
    tokenizer = make_tokenizer(texts)
    config = BiLstmConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    with quiet_transformers():
        return BiLstmModel(config).to(torch.float32), tokenizer


def make_tokenizer(texts: Collection[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer of lower-cased words and runs of punctuation marks, and fit its vocabulary.

    The vocabulary holds the words that stand `MIN_COUNT` times or more in the texts, at most `MOST_WORDS`: the
    frequent ones, and among equals the first in the alphabet. Any other word is `[UNK]`. A text and its pair are
    parted by `[SEP]`.

    Raises:
        ModelError: no word stands twice in the texts.
    """
    words = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    words.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [_PADDING, _UNKNOWN, _SEPARATOR]
    trainer = trainers.WordLevelTrainer(
        vocab_size=MOST_WORDS + len(special), min_frequency=MIN_COUNT, special_tokens=special, show_progress=False
    )
    words.train_from_iterator(texts, trainer)
    if words.get_vocab_size() == len(special):
        raise ModelError(
            f"model: bilstm learns the words that stand {MIN_COUNT} times or more in the training texts, found none in "
            f"{len(texts)} texts. Give more texts, or a pre-trained model."
        )
    words.post_processor = processors.TemplateProcessing(
        single="$A", pair=f"$A {_SEPARATOR} $B", special_tokens=[(_SEPARATOR, words.token_to_id(_SEPARATOR))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=_PADDING,
        unk_token=_UNKNOWN,
        sep_token=_SEPARATOR,
        model_input_names=["input_ids", "attention_mask"],
    )
