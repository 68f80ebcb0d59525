"""Aligners of tensors, without audio or text: scores or features in, frames and times out.

They stand between the engine and ``align``. Users know them as ``streamhmm.CTCAligner``, ``DTWAligner``,
``forced_align`` and ``merge_tokens``.
"""
