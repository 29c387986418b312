"""Every sentence that a report prints of its own: takes a name and its values, gives finished text.

A sentence in print is a claim. All stand in SENTENCES, those of comparisons and claims in engine/analysis/sentences.py,
and the tests hold for each a case where it is true and appears, and one where it must not: a new one without both fails
there, and so does one that stands elsewhere.
"""

from __future__ import annotations

from functools import partial

from engine.analysis.sentences import fill

PART_TEXTS = {
    "train": "the training images", "val": "the validation images", "test": "the test images", "all": "all images",
    "unseen": "the unseen images",
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
    "no_untaught": "no untaught student with all else the same has finished",
    # what another tool ran
    "imported": "These runs were not run by xp: they were imported from {tool}. Code, data and machine are not known "
    "here, nor what was held equal, so that nothing of them is compared with other runs.",
    "imported_ended": "{count} of {all} runs did not end well by the account of {tool}: {which}",
    "imported_last": "Last values under the names that they were logged by: means over the seeds of an arm; ±: half of "
    "the 95 % interval of the mean over seeds.",
    "imported_hidden": "Further metrics that are not shown: {count}. The table metrics_last has all.",
    "imported_arms": "Drawn are the first {shown} of {all} arms.",
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
    "map_finds": "{arm} (seed {seed}), {kind}: the map finds what the network uses more than chance does: the area "
    "under its deletion curve is smaller by {gain} (95 % interval {low} to {high}, p {p}, {images} images). It does so "
    "image by image: against the maps of other images it gains {others}.",
    "map_finds_somewhere": "{arm} (seed {seed}), {kind}: the map finds what the network uses more than chance does: "
    "the area under its deletion curve is smaller by {gain} (95 % interval {low} to {high}, p {p}, {images} images). "
    "That it tells one image from another is not shown: against the maps of other images it gains {others}.",
    "map_misses": "{arm} (seed {seed}), {kind}: the map finds what the network uses less than chance does: the area "
    "under its deletion curve is larger by {gain} (95 % interval {low} to {high}, p {p}, {images} images).",
    "map_open": "Whether the map finds what the network uses more than chance does is open for {which}: in brackets "
    "the 95 % interval of what it gains.",
    "map_omitted": "{arm} has no map of the kind {kind}: {reason}.",
    "deletion_note": "Deletion and insertion (Petsiuk et al. 2018, RISE): cells of a grid of 14 x 14 get the mean "
    "colour of the image, or are put into its blurred version, those first that the map puts highest; the area is that "
    "under the probability of the class that the network says of the whole image. Chance: cells in a random order, the "
    "same for every network; they break an image up more than as many cells in one place, as a smooth map takes them. "
    "Other maps: the map of another image, which is as smooth. ±: half of the 95 % interval of the mean over images, "
    "paired; p after Holm over the table.",
    "attention_note": "Entropy: of a query's weights, in per cent of the most that the keys it sees allow. Distance: "
    "between query and key, weighted by attention. On globals: the share of ordinary queries' attention that global "
    "tokens get; if even: what the mask alone would give them. Means over queries and the explained images.",
    "looks_received": "Received: the attention that tokens get in {layer}, mean over heads and queries, over what even "
    "attention would give",
    "looks_energy": "Features: the strength of the features of {layer}, L2 norm over channels",
    "looks_gradcam": "Grad-CAM of the class that the network says, on {layer}",
    "looks_gradcam_true": "Grad-CAM of the true class, on {layer}",
    "looks_rollout": "Rollout over {layer}, mean over heads",
    "looks_attention_gradient": "Gradient-weighted: the attention that tokens get in {layer} times the gradient by it "
    "of the logit of the class that the network says, where positive, mean over heads and queries, over what even "
    "attention would give",
    "looks_figure": "The same test images in every row, right answers and wrong ones as they come. {columns} One "
    "colour scale for each column, from least (dark) to most (bright). Below: the class, and what each network says.",
    "deletion_chart": "Mean over the test images of the probability of the class that each network says of the "
    "whole image; below chance while cells are taken away is better. Dashed: cells in a random order.",
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
    "reference_role": "{who} lends its entropy to {arms}.",
    "teacher_role": "{who} teaches {whom}.",
    "known_accuracy": "{teacher}: right on {right} of {images} unseen images among all its classes, standard error "
    "{error}; its weights are known for {known}.",
    "no_known_accuracy": "{teacher}: its accuracy could not be put beside a known one.",
    "other_size": "{teacher}: it looks at {size:.0f} px, and its weights are made for {own:.0f} px.",
    "enlarged": "{teacher}: {share} of the images are smaller than it looks at, and are enlarged for it.",
    "sharpened": "{arm}, {cell}: calibration divides logits by {by}: it sharpens them.",
    "students_note": "Means over seeds, on centre crops at temperature 1; train: an even sample no larger than test.",
    "untaught_note": "Untaught: students of the same shape and seeds without a teacher, beside the arm whose teacher "
    "they are held against, on an even sample of at most 1,000 images of each part.",
    "interval_note": "Changes of test accuracy are over common seeds; the t intervals of the remedies in one sentence "
    "hold at 95 % together (Bonferroni).",
    "closer_note": "KL(teacher || student) and agreement: taught minus untaught over common seeds, on the same images, "
    "centre crops, at temperature 1; the t intervals in one sentence hold at 95 % together (Bonferroni).",
    # what stands below the table of results
    "pruning_note": "{arm}: pruning of {asked}{of} was asked, {reached} reached.",
    "pruning_open": "{arm}: pruning of {asked}{of} was asked; what was reached is not known.",
    "mask_note": "{arm}: {asked} of the parameters were to be zero, {reached} are, and stay so.",
    "semi_note": "{arm}: two of each four weights along the input are zero and stay so, {reached} of the parameters.",
    "mask_open": "{arm}: a mask over {asked} of the parameters was asked; how many are zero is not known.",
    "searched_note": "{arms}: chosen by {by} from {trials} trials{refused} of the drawn settings {paths}, and trained "
    "anew.",
    "unequal_effort": "{arms}: not chosen from as many trials; a difference from an arm that was is one of effort too.",
    "searched_open": "{arm}: {trials} trials{refused} of the drawn settings {paths}, by {by}; the best is not trained "
    "anew.",
    "searched_refused": " ({count} more were refused before they were trained)",
    "pieces_note": "{arm}, seed {seeds}: {role} trained {images} of {batch} images at a time, after running out of "
    "memory; {what}.",
    "pieces_same": "the steps are the same up to rounding",
    "pieces_masks": "dropout and drop path drew other masks",
    "pieces_norm": "BatchNorm saw {images} images, not {batch}: another training",
    "spreads_note": "± in other columns: half of the 95 % interval of the mean over seeds.",
    "wide_note": "± > a mean: half of its interval is longer than the mean, whose digits say little.",
    "once_note": "Without ± one measurement stands for all seeds: {what}.",
    "epochs_note": "Epochs: in all, recovery after pruning included.",
    "accuracy_note": "Accuracy: mean over n seeds, on the test part, measured once; ±: half of the 95 % interval of "
    "the mean over seeds.",
    "one_run_note": "Accuracy: of one seed, on the test part, measured once.",
    "bold_note": "Bold: the highest mean, where its difference to the second is real (p < {alpha} beside all other "
    "tests of this report).",
    "added_note": "{count} of {all} runs have seeds beyond those that the spec asks for (xp submit --fill): they were "
    "added when results were known, and a test that is repeated until it decides finds differences too often.",
    "noise_note": "Noisy inference: the middle half of the timed calls spreads over up to this share of their median: "
    "{arms}.",
    "second_note": "Underlined, or slanted where there is no line: the next highest mean.",
    "wilson_note": "With one seed, in brackets: Wilson's 95 % interval over the test images; it knows nothing of the "
    "luck of a seed.",
    "change_note": "Change: the mean difference over common seeds, in percentage points; relative: in per cent of the "
    "baseline.",
    "both_note": "± of a change{of}: half of its 95 % interval, over common seeds and their test images together.",
    "seeds_note": "± of a change{of}: half of its 95 % interval, over common seeds.",
    "few_note": "± for {arms}: {why}.",
    "spread_note": "No ± for {arms}: {why}.",
    "detect_note": "What could be detected, with a power of 80 % {level}, in points: {arms}.",
    "dagger_note": "{dagger} p < {alpha}, after Holm over all changes of this report.",
    "letter_note": "[{letter}] {arm} against {against}: {what}.",
    "batch_note": "Inference: the network alone, on {batch} images at once.",
    "batches_note": "Inference: the network alone, not on as many images at once everywhere: {arms}.",
    "unfit_note": "{arm}: {batch} images at once did not fit into memory; its speed is of fewer.",
    "speed_note": "Speed-up: images/s over the baseline's, which was measured in turn with each network, in new "
    "processes each round.",
    "rounds_note": "In brackets behind a speed-up: its 95 % t interval over rounds, on the log scale.",
    "across_note": "The tables have different test images: compare within a table, not across.",
    # what was searched
    "search_best": "{arm}: of {count} compared, {trial} is the best: {figures}.{drawn}",
    "search_tied": "{arm}: of {count} compared, {tied} are equally good and none is better: {figures}. The first "
    "of them, {trial}, is called the best.{drawn}",
    "search_drawn": " It is the best of what was drawn; that nothing better lies in the space is not shown.",
    "search_front": "{arm}: of {count} compared, the front of {by} has {best}: no other is as good in all of them and "
    "better in one.",
    "search_none": "{arm}: no trial counts yet, so that none is best.",
    "search_fewer": "{arm} has {count} done, and {other} has {most}: its best is chosen from fewer.",
    "search_rungs": "{arm}: compared are the trials of {epochs} epochs alone, {count} of {all}.",
    "search_open": "{arm}: {count} yet to come or to end, so that its best may change.",
    "search_exhausted": "{arm}: given up after {count} of {asked} trials: nothing was left to draw, or too many draws "
    "were refused.",
    "search_stopped": "{arm}: the search was stopped after {count} of {asked} trials.",
    "search_unsearched": "Run as written, and not searched: {arms}.",
    "search_refused": "Refused: not counted, as no network has such settings, as it broke a bound before it was "
    "trained, or as it was removed.",
    "search_time": "Training time: of all trainings of the trials, each once; where several GPUs shared one, the time "
    "of each counts. What was trained before the search asked for it is in it too.",
    "search_bounds": "Only trials count that keep these bounds: {bounds}.",
    "search_images": "No figure of the test images is among those of trials.",
    "search_near": "Distance: Gower's (1971), the mean over the settings of how far two trials are apart between the "
    "ends of its range; 1 where a choice differs, or where one of the two did not draw it.",
    "search_front_rest": "{count} more on the front.",
    "search_gap": "{arm}: by {metric} the best is {gap} better than the median of the {count} nearest to it{luck}.",
    "search_spread": "; seeds of the same settings have a standard deviation of {spread}",
    "search_flattered": "The choice flattered {trial}: its {metric} as a trial ({value}) is off by {gap} from the mean "
    "of {seeds} (95 % interval {low} to {high}), to its favour.",
    "search_humble": "The choice did not flatter {trial}: its {metric} as a trial ({value}) is off by {gap} from the "
    "mean of {seeds} (95 % interval {low} to {high}), to its disfavour.",
    "search_luck_open": "Whether the choice flattered {trial} is open: its {metric} as a trial ({value}) is off by "
    "{gap} from the mean of {seeds} (95 % interval {low} to {high}).",
    "search_one_seed": "{trial}: its {metric} as a trial ({value}) is off by {gap} from one fresh seed, which gives no "
    "interval.",
    "search_same": "{trial}: its {metric} as a trial ({value}) is off by {gap} from {seeds}, which are all alike.",
    "search_luck": "Fresh seeds: mean over seeds that chose nothing; ±: half of the 95 % interval of the mean over "
    "seeds. Difference: the trial's figure as it stands less that mean, with the interval of the mean. Both are on the "
    "same images: what the choice owes to these is in both.",
    "search_again": "{arm}: another best of this search was trained anew and tested before the search went on to this "
    "one, so that the test images have been looked at more than once.",
    "search_moved": "{arm} is trial {trial}, and no best any more: {best}.",
    "search_path": "Lines: the best of the trials that ended, in the order in which they were asked for, over the "
    "training time of all trials before.",
    "search_orders": "Bands: from 10 to 90 % of {orders} random orders of the same trials, dotted their median: the "
    "expected validation performance of Dodge et al. (2019), without replacement and over training time. A line above "
    "its band came by its good trials sooner than in most orders, one below it later, as a sampler does that learns "
    "where they are.",
    "search_lines_alike": "Each line is a trial that counts; all have the same {metric}.",
    "search_lines": "Each line is a trial that counts, the brighter the better its {metric}; the worst tenth is of one "
    "colour.",
    "search_some_lines": "Drawn are {shown} of {all} trials, as many from the better as from the worse.",
    "search_absent": "A line below an axis did not draw that setting.",
    "search_weights": "PED-ANOVA (Watanabe et al. 2023): how unlike the settings of the best {share} % of the trials "
    "are to those of all that were drawn, as shares of their sum. It says what the best have in common, not in which "
    "direction, nor what settings do together.",
    "search_few": "Too few trials to rely on: the best of {count} are {top}, and at least {least} are wanted.",
    "search_too_few": "With fewer than {least} trials that count the importance of settings is not worked out: {arms}.",
    "search_chance": "p: how often figures shuffled among the trials give a setting as much. Filled: less often than "
    "{alpha} after Holm over the settings; hollow: chance gives as much.",
    "search_no_weight": "p: how often figures shuffled among the trials give a setting as much. No setting is told "
    "apart from chance (p < {alpha} after Holm over the settings).",
    "search_spots": "Small marks: trials that count. Large marks and stairs: the front of each arm.",
    "search_anew": "Hollow marks: the front trained anew, means over fresh seeds; lines: 95 % intervals of these.",
    "search_volume": "Hypervolume: the share of the box between reference point and ideal that the front of the trials "
    "so far dominates. Reference: the worst of each figure over all trials shown ({reference}); ideal: the best of "
    "each.",
    "search_not_anew": "Not trained anew, so that what their best owes to its seed is not known: {arms}.",
    # charts and pictures
    "bars_note": "Bars: means over seeds.",
    "apart_note": "Each speed was measured in a job of its own, at a time of its own: what else the machine did then "
    "is in it, so that the heights do not compare. Networks timed side by side do (speed-up).",
    "rounds_whiskers": "Whiskers of one measurement: its 95 % t interval over rounds, on the log scale.",
    "whiskers_note": "Whiskers: 95 % t intervals over seeds (shares on the logit scale, all else on the log scale), "
    "{counts}.",
    "wilson_whiskers": "Of one seed: Wilson's 95 % interval over its test images.",
    "dots_note": "Points: single seeds.",
    "hatched_note": "Hatched: pruned.",
    "hatched_scratch": "Hatched too: the control from scratch, new weights in pruned widths or under a pruned mask.",
    "curves_note": "Curves: means over seeds, {counts}.",
    "band_note": "Bands: from the lowest to the highest seed.",
    "losses_note": "Losses of other kinds are on charts of their own: they have no scale in common.",
    "unlike_losses": "These losses are of one kind, but not made alike (teachers, temperatures, weights, smoothing or "
    "mixing differ): the heights of their curves do not compare.",
    "effect_dots": "Marks: means over common seeds of the arm less {baseline}.",
    "effect_edges": "Lines: 95 % intervals over {over}, each by itself.",
    "effect_bare": "Without a line: no interval can be given.",
    "effect_filled": "Filled: told apart from 0 (p < {alpha} after Holm over all changes of this report).",
    "effect_none_told": "Hollow: not told apart from 0 (p < {alpha} after Holm over all changes of this report).",
    "effect_letters": "Letters: the notes under the tables.",
    "likeness_note": "Agreement: share of the test images on which student and teacher say the same class, right or "
    "wrong. Marks: means over seeds.",
    "likeness_ranges": "Lines: from the lowest to the highest seed.",
    "likeness_teachers": "Each arm is held against its own teacher.",
    "grid_note": "In each cell: mean test accuracy over n seeds.",
    "grid_half": "±: half of the 95 % interval of the mean over seeds.",
    "grid_empty": "Hatched: not run, or without a figure yet.",
    "cost_front": "Filled: on the front in {sure} % or more of {draws} draws of what other seeds might have given, so "
    "that no other arm is as right for as little. Faint: in {rest} % or fewer. Hollow: in between. Dotted: the front "
    "of the means.",
    "cost_edges": "Whiskers: 95 % t intervals over seeds (shares on the logit scale, all else on the log scale).",
    "cross_note": "Cross: where an arm was pruned; what comes after it is recovery.",
    "many_names": "{count} of them, in the order of the tables; colours come again after {colours}",
    "dashes_note": "Dashed in turn: arms whose means are the same there.",
    "fewer_note": "Means of fewer seeds at some epochs: {arms}.",
    "maps_note": "Each row is one test image: the picture, and laid over it {what}{outlined}. Below: what the network "
    "says.",
    "maps_outlined": "; objects are outlined",
    "maps_attention": "the attention that its parts receive",
    "maps_energy": "the strength of the last features",
    "maps_both": "the attention that its parts receive, or, of {arms}, the strength of the last features",
    # claims and differences
    "claims_exact": "What is the same for every seed is decided as it stands.",
    "claims_decided": "A claim about samples is decided where p is below {alpha} after Holm over all claims.",
    "claims_difference": "Difference: of the two arms over common seeds{more}.",
    "claims_edges": ", with its 95 % interval",
    "claims_both": "Of test accuracy the interval is over seeds and test images together.",
    "claims_rounds": "Of speeds the interval is of rounds side by side, or of the networks of several seeds.",
    "differences_note": "{left} more settings come with these and are the same wherever they are set; `xp diff` shows "
    "all.",
    # the factors
    "square_note": "Test accuracy [%]: mean over n seeds; ±: half of the 95 % interval of the mean over seeds.",
    "effects_note": "Of test accuracy, over the seeds that all arms of the square have.",
    "effects_both": "The 95 % intervals are over these seeds and their test images together.",
    "effects_seeds": "The 95 % intervals are over these seeds.",
    "effects_images": "Of fewer than {least} seeds the intervals are of the images alone, and there is no p.",
    "effects_holm": "p after Holm over all effects of this report.",
    "effects_meaning": "A main effect is a mean over the other factors, an interaction the change of one factor's "
    "difference with the other: where it is not 0, the main effects are means of unlike things.",
    "effect_note": "{effect}: {note}.",
    # the paper beside ours
    "readings": "The paper prints per cent for each change; for accuracy that can mean points or per cent of the "
    "baseline.",
    "ours": "Ours: the arm of that network, windows, attention, teacher, split and pruning, against the arm that the "
    "paper compared with, over shared seeds. Throughput is that of training; memory is what CUDA reserved.",
    "two_changes": "{mark} The paper prints two changes for one figure, and does not say what each is against.",
    "pruned_against": "{mark} The paper does not say whether the pruned network is held against the original or the "
    "whole one; ours is held against the original.",
    "no_run": "No run corresponds without {need}.",
    # compression
    "size_note": "In brackets: the share of what the whole arm has. Where no mask lies on a network, no parameter "
    "counts as zero.",
    "gain_note": "Change: test accuracy less that of the arm it is held against, over common seeds.",
    "gain_edges": "±: half of the 95 % interval over {over}, of each difference by itself.",
    "lacks_note": "What pruning alone did is not told apart for {arms}: no arm here with all else the same is {which}.",
    "some_compared": "Changes are those of the first {count} of {all} compressed arms; the others were not compared.",
    "over_scratch": "Over scratch: above the same widths or mask, trained from new weights for as many epochs.",
    "over_none_longer": "Over none_longer: above the whole network, trained for as many epochs.",
    "over_random": "Over random: above as much pruned by chance.",
    "pace_note": "The network alone. ms and images/s: geometric means; p95: the 95th percentile of single calls, mean "
    "over an arm's networks.",
    "pace_edges": "In brackets behind them: 95 % t intervals on the log scale.",
    "pace_ratio": "Times as fast: as the whole arm, by what was measured in turn with both, in new processes each "
    "round.",
    "pace_rounds": "The interval of one network is over rounds.",
    "pace_networks": "The interval of an arm whose networks were measured seed by seed is over these.",
    "pace_noisy": "{mark} Measured on a restless machine: the middle half of the calls, of the arm's networks or of "
    "those in turn with them, spreads over more than {share} % of the median.",
    "mask_free": "{arm}: {zero} of its parameters are zero, and that saves none of them and no time. It has as many as "
    "{whole}, and runs {speeds} times as fast, which is 1 within the interval: dense kernels multiply by a zero as by "
    "any number.",
    "mask_unclear": "{arm}: {zero} of its parameters are zero. It has as many as {whole}. That it is faster is not "
    "shown, nor that it is not: it runs {speeds} times as fast, which is 1 within the interval, but that is wide.",
    "mask_moved": "{arm}: {zero} of its parameters are zero. It has as many as {whole}, and runs {speeds} times as "
    "fast.",
    "mask_unmeasured": "{arm}: {zero} of its parameters are zero. It has as many as {whole}; its speed was not "
    "measured beside that.",
    "front_note": "Filled: on the front in {sure} % or more of {draws} draws of what other seeds, rounds and test "
    "images (where all arms answered the same) might have given, so that no other arm is as right and as fast. "
    "Faint: in {rest} % or fewer. Hollow: in between. Whiskers: 95 % intervals. Dotted: the front of the means.",
    "front_level": "Latency on the chart: beside the network that each was measured in turn with, times the mean of "
    "that one over all measurements.",
    "front_luck": "Arms of one seed have no interval over seeds: the front knows nothing of their luck.",
    "more_fronts": "Charts of the first {count} of {all} tables.",
    # what was run, and what is missing
    "some_runs": "{count} of {all} runs are {state}: {which}",
    "damaged_file": "{file} ({what}): what it told is left out",
    "ended_job": "job {job} is {state} after {attempts}{reason}",
    "no_number": "{arm} {point}: {seeds} {metric} that is no number (left out)",
    "no_accuracy": "{arm} {point} seed {seed} is done but has no test accuracy",
    "only_trials": "none beside the trials of its search (see Search)",
    "no_checkout": "unknown (not run from a checkout)",
    "broken": "broken and left out: {count} ({names})",
    "doubles": "groups of the same or nearly the same image: {groups} ({images} images, groups across classes: "
    "{across})",
    "asked_for": "asked for {asked}",
    "kept_together": ", and up to {largest} near-duplicates stay on one side",
    "test_doubles": "{count} left out that show what an image of the test folder shows",
    "pointer": "Rest the pointer on a number of the results to see the runs behind it, or choose it, with a click or "
    "Enter, to see all that it comes from.",
    "holes": "This report has holes.",
}  # fmt: skip

say = partial(fill, SENTENCES)
