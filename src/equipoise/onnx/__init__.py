"""Exported models: reading their folders and predicting with onnxruntime. Free of torch.

`equipoise.exporting` writes such folders.
"""

from .export_folder import FORMAT_VERSION as ONNX_FORMAT
from .export_folder import GRAPH, MARK, MEANS, ONNX_OUTPUT, TOKENIZER, ExportFacts, find_export
from .predictor import OnnxPredictor, load_onnx
from .rows import RowReader
from .session import answers_name, open_graph, outputs_name, predict_means
from .text_tokenizer import TextTokenizer, TokenizerFacts

__all__ = [
    "GRAPH",
    "MARK",
    "MEANS",
    "ONNX_FORMAT",
    "ONNX_OUTPUT",
    "TOKENIZER",
    "ExportFacts",
    "OnnxPredictor",
    "RowReader",
    "TextTokenizer",
    "TokenizerFacts",
    "answers_name",
    "find_export",
    "load_onnx",
    "open_graph",
    "outputs_name",
    "predict_means",
]
