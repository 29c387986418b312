"""Loading: takes a spec file, overlays and --set, gives a Spec; or all its problems with file, line and column.

spec_file    load_spec, load_words: the layers merged in their order, checked
layers       the files a spec extends, and where each word was written
arms         `extends` between arms, dotted paths
controls     the controls of pruned arms, in their short form
cells        every arm at every matrix point, validated once
search_space  what cannot be searched
drawn_clashes  axes that draw what others say or draw
idle_axes    axes that decide nothing
overlays     what is laid over a spec
registered   code that installed packages register under short names
code_places  whole paths to a person's own code, and where a spec names it
paper_file   papers: lists of specs, and what a paper says
messages     what pydantic found, in words
repairs      what to write instead of a value that is wrong
excerpts     the line of a file with a mark under the place
ignored      words that would do nothing
timm_options  which options a timm network takes; timm_options.txt is timm's own list
absent       packages that words need and that are not here
unsupported  words that are refused because nothing does them yet
yaml_tree    YAML with positions
yaml_nodes   YAML within limits
yaml_slips   slips that make a text no YAML
yaml_text    a plain tree as YAML
python_tree  a mapping of Python's as a plain tree
"""

from engine.load.spec_file import load_spec, load_words

__all__ = ["load_spec", "load_words"]
