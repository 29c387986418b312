"""What an installation brings: pinned, hashed and looked up; `make lock`, `make locked` and `make audit`.

audit    asks the databases of known vulnerabilities about every pin, and says what could not be asked
pins     reads constraints.txt and constraints.lock
"""
