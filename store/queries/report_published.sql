-- What the paper reported in one section, with both readings of each change.
select model, windows, attention, teacher, prune, split, metric, value, unit, change, change_unit, relative_change,
    relative_baseline, absolute_change, absolute_baseline, against
from published where section = $section and change is not null;
