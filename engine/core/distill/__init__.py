"""Distillation: a teacher's answers, kept or asked for in the step, and what a student makes of them.

teacher      how it sees a view; whether it knows enough to teach
encoding     an answer as fp16 and back: the one quantiser
shards make  files that outlive a kill; asking about every image in fixed batches
targets      the checked cache and its reader
answering    who answers a student's batch: the cache or the teacher
temperature  the temperature of a step
losses       what a student minimises of logits
taps layer_shapes   named layers of a network, listened to; how large they are, for a plan
feature_losses projectors   how far features are from a teacher's; what stands between the two
feature_rows hints          features in a cache; what a student makes of them
diagnose     confidence, accuracy, calibration; how near the student came
answers      what networks said of the same images, in a file
"""
