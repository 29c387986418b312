"""An experiment in one file: takes a home and names, gives a .zip; takes such a file, says whether it holds.

The truth in it is `home/`: records, and of each job what its numbers are made of. All else (results as Parquet, pages,
specs, environments) is derived from that by one function, which `verify` calls again elsewhere.

    members   the names in an archive, what each stands for, and the files of a folder or a .zip by them
    gather    which files of a home belong to experiments
    derive    a small home -> results, pages, specs, environments
    crate     RO-Crate metadata and the page that says what is in the file
    pack      a folder -> one .zip, the same bytes each time
    opened    a .zip of somebody else's -> its members, or a refusal
    making    `xp archive`
    checking  `xp archive verify`
    rerun     runs of an archive done once more here
    own_code  the spec of an archive, naming the copies of code that lie in it
    repeated  which of their numbers came out again
"""

from engine.archive.checking import verify_archive
from engine.archive.making import make_archive

__all__ = ["make_archive", "verify_archive"]
