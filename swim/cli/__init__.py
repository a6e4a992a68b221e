"""The command line: ``swim agent``, ``swim cluster`` and the commands that ask an agent over HTTP."""
