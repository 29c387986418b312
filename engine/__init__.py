"""xp runs the experiments behind a model-compression paper; this page is the map of the street.

    spec -> plan -> schedule -> run -> collect -> report

    errors names spec shapes arms      the words, what they may be, what they mean in tokens, how arms vary them
    identity                           settings -> a stable id
    problems later yaml_tree           what a mistake is called; what is not built; YAML with positions
    overlays load                      a file and what is laid over it -> a Spec, or every mistake with its place
    home archive parts folders         every path; archives; sizes of a split's parts; class folders
    content weights                    what the images are, by content; what a weights file holds
    plan estimate check starter        Spec -> runs -> jobs; what is left to do; what is missing; specs to start from
    schedule                           which job next, and what a dead one means; pure
    launch/                            one file for each place a job can run
    core/                              the shared model and distillation core: the only rooms that know torch and timm
    run/                               inside a job's process
    images describing                  looks at images and networks before any training
    collect/ submit worker/            journals -> rows; jobs in; the scheduler process
    certificate verify                 whether kills change the bits on this machine
    find status orders logs why        what a person asks of a home
    query prompt                       SQL, once and in conversation
    stats guard compare claims         intervals and tests; fair or not; two arms; what the spec claims
    wording trace freeze report/       in words; back to the sources; as it was; a page and its figures
    show watch doctor cli/             a terminal

A file imports only files above it here, and from store/ what it needs; store/ imports nothing of the engine.
"""
