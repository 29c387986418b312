"""What is to be done and in which order: takes plans and orders, keeps the queue moving.

submit  a plan -> job folders, a record, rows in the queue
growing  a searched submission: what is tried stands in it; open searches
searched  how far a search is, for people
lookup  what an id that a person typed may mean
notices  who is to be told when an experiment ends
orders  cancel, pause, resume, retry, priority
given   orders as they are kept, for a queue that is made anew
slot_marks  the GPUs that are shut out, and those under suspicion
policy  whose turn it is, what an ending means; pure
placing  what jobs ask of slots; pure
slot_book  where a job fits beside what runs; pure
keep    housekeeping: what is needed, what takes room, what may go and come back
worker  the one scheduler loop of a home
"""
