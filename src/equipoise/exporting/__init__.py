"""Exporting trained models to ONNX."""

from .export import Export, export_onnx
from .measuring import Loss

__all__ = ["Export", "Loss", "export_onnx"]
