"""What a plan is told of layers: their sizes, or the name that is wrong."""

from __future__ import annotations

from engine.core.distill.layer_shapes import answer
from engine.spec import Student


def question(layers: list[str], arch: str = "timm/resnet10t", **words: object) -> dict[str, object]:
    network = Student.model_validate({"arch": arch, **words}).model_dump(mode="json")
    return {"network": network, "outputs": 10, "image_size": 32, "layers": layers}


def test_layers_are_told_with_channels_and_side() -> None:
    assert answer(question(["layer1", "fc"])) == {"shapes": {"layer1": [64, 8], "fc": [10, 1]}}
    tiny = {"dims": [8, 16, 16, 16], "depths": [1] * 4, "heads": [1] * 4, "windows": [4, 4, 2, 1]}
    sparse = {"attention": {"kind": "longformer", "radius": 1, "globals": 1, "tile": 2}}
    assert answer(question(["stages.1"], "tiny_vit", **tiny, **sparse)) == {"shapes": {"stages.1": [16, 4]}}


def test_the_first_wrong_name_is_told_with_the_fix() -> None:
    layer, what, fix = answer(question(["layer1", "layr2"]))["problem"]
    assert (layer, what) == ("layr2", "there is no layer 'layr2'")
    assert "'layer2'" in fix
