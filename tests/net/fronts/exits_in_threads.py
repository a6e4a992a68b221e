"""Short programs that end in every way, in plain threads; a name ends with the exit status, if not 0."""

from __future__ import annotations

BLOCKING = """
def opened(name="n1", leave_timeout=0):
    return swim.blocking.open_cluster(config(name), leave_timeout=leave_timeout, isolation=ISOLATION)
"""

IN_THREADS = {
    "normal": """
        with opened(leave_timeout=5) as cluster:
            assert cluster.members()
        assert not children()
    """,
    "closed-streams": """
        for descriptor in range(3):
            os.close(descriptor)
        with opened() as cluster:
            cluster.set_tags({"a": "1"}, timeout=20)
    """,
    "stopped": """
        cluster = opened().__enter__()
        for child in children():
            os.kill(int(child), signal.SIGSTOP)
    """,
    "never-closed": """
        cluster = opened().__enter__()
    """,
    "sys.exit=3": """
        with opened():
            sys.exit(3)
    """,
    "exception": """
        with contextlib.suppress(KeyError), opened():
            raise KeyError("on purpose")
        assert not children()
    """,
    "os._exit=4": """
        with opened():
            os._exit(4)
    """,
    "SIGKILL=-9": """
        with opened():
            os.kill(os.getpid(), signal.SIGKILL)
    """,
    "SIGTERM=-15": """
        with opened() as cluster:
            os.kill(os.getpid(), signal.SIGTERM)
            list(cluster.events())
    """,
    "daemon-threads-wait": """
        cluster = opened().__enter__()
        def read():
            for event in cluster.events(): pass
        def ask():
            for reply in cluster.query("q", timeout=60): pass
        def read_on():
            while True: cluster.members(), cluster.history("n1")
        for target in (read, ask, read_on) * 3:
            threading.Thread(target=target, daemon=True).start()
        time.sleep(0.02)
    """,
    "threads-end-with-it": """
        seen = []
        with opened() as cluster:
            def read():
                seen.append(list(cluster.events(kinds=swim.UserEvent)))
            threads = [threading.Thread(target=read) for _ in range(3)]
            for thread in threads: thread.start()
            time.sleep(0.02)
        for thread in threads: thread.join()
        assert seen == [[], [], []], seen
    """,
    "opened-and-closed-by-other-threads": """
        opening, done = opened(leave_timeout=5), []
        one = threading.Thread(target=lambda: done.append(opening.__enter__()))
        one.start(); one.join()
        two = threading.Thread(target=lambda: opening.__exit__(None, None, None))
        two.start(); two.join()
        assert done[0].status == "stopped"
    """,
    "generator-left-suspended": """
        def clusters():
            with opened() as cluster:
                yield cluster
        generator = clusters()
        next(generator)
    """,
    "generator-dropped": """
        def clusters():
            with opened(leave_timeout=5) as cluster:
                yield cluster
        generator = clusters()
        next(generator)
        del generator
        assert not children()
    """,
    "interrupted": """
        try:
            with opened() as cluster:
                main = threading.main_thread().ident
                threading.Timer(0.05, signal.pthread_kill, [main, signal.SIGINT]).start()
                for event in cluster.events(): pass
        except KeyboardInterrupt:
            pass
        assert not children()
    """,
    "exception-of-a-signal-handler": """
        class Alarm(Exception): pass
        def ring(*_): raise Alarm
        signal.signal(signal.SIGALRM, ring)
        with opened() as cluster:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            try:
                list(cluster.events())
            except Alarm:
                cluster.set_tags({"a": "1"})
    """,
    "inside-asyncio": """
        async def main():
            with opened(leave_timeout=5) as cluster:
                await asyncio.to_thread(cluster.set_tags, {"a": "1"})
        asyncio.run(main())
    """,
    "fork-and-sys.exit": """
        with opened() as cluster:
            if (child := os.fork()) == 0:
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            cluster.set_tags({"a": "1"})
    """,
    "multiprocessing": """
        def work(): assert not children()
        if __name__ == "__main__":
            with opened() as cluster:
                process = multiprocessing.get_context("fork").Process(target=work)
                process.start(); process.join()
                assert process.exitcode == 0
                cluster.set_tags({"a": "1"})
    """,
    "exec": """
        with opened() as cluster:
            os.execv(sys.executable, [sys.executable, "-c", "pass"])
    """,
    "atexit-uses-it": """
        cluster = opened().__enter__()
        def last():
            with contextlib.suppress(swim.LocalError):
                cluster.leave(timeout=1)
            assert cluster.members()
        atexit.register(last)
    """,
    "many-left-open": """
        clusters = [opened(f"n{number}").__enter__() for number in range(4)]
    """,
    "dropped": """
        opened().__enter__()
    """,
}
