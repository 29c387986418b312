"""A change of views of your own: one image, uint8 (3, S, S), and a generator that all chance comes from."""

from pydantic import BaseModel, Field
from torch import Generator, Tensor, rand


class Strip(BaseModel):
    width: float = Field(0.1, gt=0.0, le=0.5)


def shade_strip(image: Tensor, generator: Generator, options: Strip) -> Tensor:
    """Halve the light in a strip; its place and width are shares, since networks look at images of several sizes."""
    size = image.shape[1]
    top = int(float(rand((), generator=generator)) * (1 - options.width) * size)
    image[:, top : top + round(options.width * size)] //= 2
    return image
