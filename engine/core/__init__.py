"""The shared model core: the only rooms that import torch and timm. Each part of a spec has its room here."""
