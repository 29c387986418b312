-- Everything that the paper reported, in its order, with both readings of each change.
select phase, section, model, windows, attention, teacher, prune, split, batch_size, metric, value, unit, change,
    change_unit, relative_change, relative_baseline, absolute_change, absolute_baseline, against
from published order by rowid;
