"""A person's own code: takes a name from a spec, gives its files and digest; none of it is imported here.

finding   a name -> the file that it means, and the files of the same project that it imports
digest    what code says, whatever its comments, as a digest
trust     what its owner said may run here
keeping   the copies that jobs run from, by digest
"""
