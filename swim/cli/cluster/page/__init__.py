"""What ``swim cluster`` serves: the page, and the state, commands and trace of the cluster behind it."""
