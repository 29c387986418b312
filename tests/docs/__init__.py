"""README and manual: their commands, specs, queries and Python are run, or their words are checked.

blocks      a page -> its fenced blocks, each with the remark above it
words       a line of a console -> the commands of xp in it, parsed as the app would parse them
commands    docs/commands.md, made from the app
walk        every block run in one folder with one home, in the order of the pages; what comes beside what is shown
__main__    `python -m tests.docs commands | outputs | picture`: makes anew what is made
"""
