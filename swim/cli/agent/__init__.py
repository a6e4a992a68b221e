"""The agent command, and the commands that ask one."""
