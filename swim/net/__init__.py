"""The trio driver: sockets, names, files and lifetimes around one sans-I/O node."""
