"""A network of your own: a class that takes the number of classes and the image size, and has options of its own."""

from itertools import pairwise

from pydantic import BaseModel, Field
from torch import Tensor, nn


class Sizes(BaseModel):
    width: int = Field(16, ge=4, le=512)
    blocks: int = Field(2, ge=1, le=6)


class FastNet(nn.Module):
    def __init__(self, num_classes: int, image_size: int, options: Sizes) -> None:
        super().__init__()
        widths = [3, *(options.width * 2**block for block in range(options.blocks))]
        self.body = nn.Sequential(*(self.block(*pair) for pair in pairwise(widths)))
        self.head = nn.Linear(widths[-1], num_classes)

    def block(self, inner: int, outer: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).mean((2, 3)))
