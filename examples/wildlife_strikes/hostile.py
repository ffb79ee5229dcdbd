# A program that tries to reach the host. Every attempt is harmless, should it ever succeed: it
# reads what anyone may read, writes one empty file under /tmp and connects to this machine only.
attempts = []


def attempt(what, action):
    try:
        got = action()
    except BaseException as error:  # whatever stops it, go on with the next
        outcome, detail = "stopped", f"{type(error).__name__}: {error}"
    else:
        outcome, detail = ("REACHED", got) if got else ("nothing there", repr(got))
    attempts.append((what, outcome))
    print(f"{what:<38} {outcome:<14} {str(detail)[:140]}")


# Files


def read_a_file():
    with open("/etc/passwd") as file:
        return file.readline()


def list_a_folder():
    import os

    return os.listdir("/")


def write_a_file():
    import os

    path = f"/tmp/doublevm-canary-{os.getpid()}"
    with open(path, "w"):
        return path


def open_a_file_through_libc():
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.open(b"/etc/passwd", 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return f"descriptor {descriptor}"


attempt("read /etc/passwd", read_a_file)
attempt("list the folder /", list_a_folder)
attempt("write a file under /tmp", write_a_file)
attempt("open /etc/passwd through libc", open_a_file_through_libc)


# The host's environment, other processes, the network


def read_the_environment():
    import os

    # Names are proof enough. Python itself sets LC_CTYPE where there is no locale.
    return sorted(name for name in os.environ if name != "LC_CTYPE")


def run_a_command():
    import subprocess

    return subprocess.run(["id"], capture_output=True, check=True).stdout


def fork_a_process():
    import os

    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return f"process {child}"


def connect():
    import socket

    try:
        socket.create_connection(("127.0.0.1", 22), timeout=1).close()
    except ConnectionRefusedError:
        pass  # nobody listens there, but the network was reached
    return "the network"


attempt("read the environment", read_the_environment)
attempt("run a command", run_a_command)
attempt("fork a process", fork_a_process)
attempt("connect to a local port", connect)


# Tools: one that was never registered, and registered ones with arguments they do not take

attempt("call a tool nobody registered", lambda: call_tool("vault:read_secret", {"key": "root"}))
attempt("call another, as a function", lambda: delete_everything())
attempt("pass text where a number belongs", lambda: find_strikes(airport_id="1 OR 1=1"))
attempt("pass a value that is no choice", lambda: count_strikes(group_by="cost FROM strikes; --"))
attempt("leave out an argument", lambda: report.save(title="Nothing to say"))
attempt("hide SQL in a text argument", lambda: list_airports(state="Texas' OR 1=1 --"))

reached = [what for what, outcome in attempts if outcome == "REACHED"]
if reached:
    raise RuntimeError(f"the host was reached: {reached}")
{"attempts": len(attempts), "reached": len(reached)}
