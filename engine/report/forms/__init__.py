"""The forms that a report is written in: takes a Document and a folder, gives files.

environment  where templates are filled in: what they say is escaped for the form
markdown     report.md, charts as .svg and maps as .png
html         report.html, one file that needs no other
latex        report.tex and a whole document, charts as .pdf
print_table  a table as LaTeX sets it
writers      the forms by their names
"""
