"""Distillation: teacher (how it sees a view) -> targets (its logits, kept) -> losses (what a student makes of them)."""
