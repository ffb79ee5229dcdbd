# Refused before it runs: no engine that `auto` may pick has sockets.
import socket

socket.create_connection(("127.0.0.1", 80))
