"""Every sentence that the report prints about a teacher or a map: takes a name and its values, gives finished text.

A sentence in print is a claim. All stand in SENTENCES, and the tests hold for each a case where it is true and
appears, and one where it must not: a new one without both fails there.
"""

from __future__ import annotations


def say(name: str, **values: object) -> str:
    """Return the sentence `name` with its values. Raises KeyError for one that is not in SENTENCES."""
    return SENTENCES[name].format(**values)


PART_TEXTS = {
    "train": "the training images", "val": "the validation images", "test": "the test images", "all": "all images",
}  # fmt: skip

SENTENCES = {
    # what the teacher is like
    "sure": "{sureness} on {where} (fitted temperature {fitted:.2f}, signed ECE {signed:+.3f})",
    "no_fit": "no temperature has least NLL on {where}, as for a teacher that is never wrong there",
    "not_examined": "its calibration was not measured on {where}",
    "one_hot": "near one-hot on {where}",
    # what its students make of it
    "closer": "students taught as {arm} come closer to it than untaught ones ({against}): {figures}",
    "farther": "students taught as {arm} stay farther from it than untaught ones ({against}): {figures}",
    "as_close": "whether students taught as {arm} come closer to it than untaught ones ({against}) is open: {figures}",
    "figures": "KL {kl} nats, agreement {agreement} points on {images} test images, n={n}",
    "no_interval": "{arm} and the untaught {against} give no interval of paired seeds",
    "no_answers": "the answers of {arm} and the untaught {against} on the same test images are not both kept",
    "no_untaught": "no untaught student of the same shape has finished",
    # remedies
    "remedy": "{arm} against {against}: {mean:+.1f} points [{low:+.1f}, {high:+.1f}], {said}",
    "remedy_alone": "{arm} against {against}: no interval of paired seeds",
    "no_remedy": "no arm differs by {what} alone",
    "between": "the assistant of {arm} lies between student and teacher in test accuracy "
    "({student}, {assistant}, {teacher})",
    "not_between": "{arm} does not count: the accuracy of its assistant is not between student and teacher "
    "({student}, {assistant}, {teacher})",
    "between_unknown": "{arm} does not count: whether its assistant lies between student and teacher in test accuracy "
    "is not known",
    "not_direct": "no student hears it without an assistant between",
    # verdicts
    "supported": "{teacher}: {what} is supported: {reason}.",
    "not_supported": "{teacher}: {what} is not supported: {reason}.",
    "open": "{teacher}: {what} cannot be told from these runs: {reason}.",
    # what would tell
    "add_untaught": "To tell, add an arm like {arm} without a teacher (teacher: null).",
    "add_answers": "To tell, train {arm} and {against} with this version of xp, which keeps the answers.",
    "add_softer": "To tell, add an arm with distill.temperature {temperature:g} and all else as in {arm}.",
    "add_calibrated": "To tell, add an arm with teacher.calibrate: true and all else as in {arm}.",
    "add_hinton": "To tell, add an arm with loss hinton that hears it, and one with another "
    "distill.temperature alone.",
    "add_assistant": "To tell, add an arm with teacher.assistants, one between student and teacher in test accuracy, "
    "and all else as in {arm}.",
    "add_direct": "To tell, add an arm like {arm} without teacher.assistants.",
    "add_seeds": "To tell, run more seeds of {arms}.",
    "other_images": "To tell, examine it on images that its weights were not trained on.",
    # where maps point
    "looks": "{arm} (seed {seed}) looks at the object more than chance: the highest place of its map hits in {hits} of "
    "{images} images, where random maps would in {chance:.1f}, and its own maps do in {others:.1f} on the objects of "
    "other images (p {p}).",
    "looks_somewhere": "{arm} (seed {seed}) hits in {hits} of {images} images, more than the {chance:.1f} of random "
    "maps (p {p}); whether it looks at the object, or only where objects commonly lie, cannot be told: on the objects "
    "of other images its maps hit in {others:.1f}.",
    "looks_open": "Whether {arm} (seed {seed}) looks at the object more than chance cannot be told: it hits in {hits} "
    "of {images} images, and random maps would in {chance:.1f}.",
    "boxed": "Boxes for {counted} of {explained} explained images.",
    "cropped_away": "Of {cropped} of them the object lies outside the centre crop, or is smaller than a pixel of it: "
    "they do not count.",
    "pointing_note": "A hit: the highest place of the map lies on the object, or not farther from it than 15/224 of "
    "the image's side (pointing game). Beside it, what a random map of the same size would hit, and what the same maps "
    "hit on the objects of the other images: to look at the middle alone gains nothing over that.",
    "mass_note": "The share of the map on the object stands beside the share of the image that the object takes, which "
    "is what a flat map has there. Figures are means over the images that count, and over seeds; the tests are "
    "one-sided, of the first seed alone, and after Holm over the rows.",
    # notes below the table
    "centre_note": "Centre crops.",
    "share_note": "Above 0.99: share of images with such a confidence.",
    "sure_note": "Signed ECE above 0 and a fitted temperature T above 1 say too sure.",
    "entropy_note": "Entropies in nats.",
    "wrong_note": "Wrong-class entropy is that of the wrong classes among themselves.",
    "contradicted_note": "Contradicted: labels that it gives less than 0.1 while it is above 0.9 sure of "
    "another class.",
    "unseen_note": "{teacher}, is judged on {where}: no step of its training in this home used them.",
    "unknown_note": "{teacher}, is judged on {where}; xp did not train it on these images, and what else its weights "
    "were trained on is not known.",
    "seen_note": "{teacher}, is judged on the images that it was trained on: there are figures of no others.",
    "diagram_note": "The diagram is of {wheres}; bins with fewer than {least} images are left out.",
    "interval_note": "Changes of test accuracy are over common seeds; the t intervals of the remedies in one sentence "
    "hold at 95 % together (Bonferroni).",
    "closer_note": "KL(teacher || student) and agreement: taught minus untaught over common seeds, on the same images, "
    "centre crops, at temperature 1; the t intervals in one sentence hold at 95 % together (Bonferroni).",
}  # fmt: skip
