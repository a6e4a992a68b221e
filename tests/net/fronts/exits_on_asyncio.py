"""Short programs that end in every way, on asyncio; a name ends with the exit status, unless it is 0."""

from __future__ import annotations

ASYNC = """
def opened(name="n1", leave_timeout=0):
    return swim.asyncio.open_cluster(config(name), leave_timeout=leave_timeout, isolation=ISOLATION)
"""
ON_ASYNCIO = {
    "normal": """
        async def main():
            async with opened(leave_timeout=5) as cluster:
                assert cluster.members()
            assert not children()
            assert not [each for each in threading.enumerate() if each.name.startswith("swim:n")]
        asyncio.run(main())
    """,
    "pending-anext": """
        async def main():
            async with opened() as cluster:
                task = asyncio.create_task(anext(cluster.events(kinds=swim.UserEvent)))
                await asyncio.sleep(0.01)
            await asyncio.wait([task])
            assert isinstance(task.exception(), StopAsyncIteration)
        asyncio.run(main())
    """,
    "pending-anext-and-never-closed": """
        async def main():
            global cluster, task
            cluster = await opened().__aenter__()
            task = asyncio.create_task(anext(cluster.events(kinds=swim.UserEvent)))
            await asyncio.sleep(0.01)
        asyncio.run(main())
    """,
    "cancelled-anext": """
        async def main():
            async with opened() as cluster:
                task = asyncio.create_task(anext(cluster.events(kinds=swim.UserEvent)))
                await asyncio.sleep(0.01)
                task.cancel()
        asyncio.run(main())
    """,
    "loop-closed-first": """
        loop = asyncio.new_event_loop()
        cluster = loop.run_until_complete(opened().__aenter__())
        loop.close()
        assert cluster.members()
    """,
    "never-closed": """
        async def main():
            global cluster
            cluster = await opened().__aenter__()
        asyncio.run(main())
    """,
    "used-by-two-loops": """
        async def first():
            global opening, cluster
            opening = opened(leave_timeout=5)
            cluster = await opening.__aenter__()
        async def second():
            await cluster.set_tags({"a": "1"})
            await opening.__aexit__(None, None, None)
        asyncio.run(first())
        asyncio.run(second())
    """,
    "sys.exit=3": """
        async def main():
            async with opened():
                sys.exit(3)
        asyncio.run(main())
    """,
    "exception": """
        async def main():
            async with opened():
                raise KeyError("on purpose")
        with contextlib.suppress(KeyError):
            asyncio.run(main())
        assert not children()
    """,
    "os._exit=4": """
        async def main():
            async with opened() as cluster:
                task = asyncio.create_task(anext(cluster.events(kinds=swim.UserEvent)))
                await asyncio.sleep(0.01)
                os._exit(4)
        asyncio.run(main())
    """,
    "closed-in-the-wrong-order": """
        async def main():
            one, two = opened("n1"), opened("n2")
            await one.__aenter__()
            await two.__aenter__()
            await one.__aexit__(None, None, None)
            await two.__aexit__(None, None, None)
        asyncio.run(main())
    """,
    "generator-left-suspended": """
        async def clusters():
            async with opened() as cluster:
                yield cluster
        async def main():
            global generator
            generator = clusters()
            await anext(generator)
        asyncio.run(main())
    """,
    "generator-dropped-after-its-loop": """
        async def clusters():
            async with opened() as cluster:
                yield cluster
        generator, loop = clusters(), asyncio.new_event_loop()
        async def main():
            await anext(generator)
        loop.run_until_complete(main())
        loop.close()
        del generator
        gc.collect()
    """,
    "coroutine-closed-while-it-waits": """
        class Until:
            def __init__(self, coroutine, seen):
                self.coroutine, self.seen = coroutine, seen
            def __await__(self):
                steps = self.coroutine.__await__()
                while True:
                    step = steps.send(None)
                    if self.seen:
                        return
                    yield step
        async def program(seen):
            async with opened(leave_timeout=5) as cluster:
                seen.append(cluster)
                await asyncio.sleep(100)
        async def main():
            seen = []
            waiting = program(seen)
            await Until(waiting, seen)
            waiting.close()
            assert seen[0].status == "stopped"
        asyncio.run(main())
    """,
    "interrupted": """
        async def main():
            async with opened(leave_timeout=5) as cluster:
                asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGINT)
                async for event in cluster.events():
                    pass
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(main())
        assert not children()
    """,
    "interrupted-twice": """
        async def main():
            async with opened(leave_timeout=5) as cluster:
                loop = asyncio.get_running_loop()
                loop.call_later(0.05, signal.raise_signal, signal.SIGINT)
                loop.call_later(0.0502, signal.raise_signal, signal.SIGINT)
                async for event in cluster.events():
                    pass
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(main())
    """,
    "SIGINT=-2": """
        async def main():
            async with opened() as cluster:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(100)
        asyncio.run(main())
    """,
    "SIGTERM=-15": """
        async def main():
            async with opened() as cluster:
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(100)
        asyncio.run(main())
    """,
    "SIGKILL=-9": """
        async def main():
            async with opened() as cluster:
                os.kill(os.getpid(), signal.SIGKILL)
                await asyncio.sleep(100)
        asyncio.run(main())
    """,
    "opening-given-up": """
        async def main():
            for seconds in (0.0, 0.001, 0.005, 0.02):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        async with opened():
                            await asyncio.sleep(100)
                assert not children()
                assert not [each for each in threading.enumerate() if each.name.startswith("swim:n")]
        asyncio.run(main())
    """,
    "cycles-and-no-gc": """
        gc.disable()
        class Holder:
            pass
        async def main():
            holder = Holder()
            holder.me, holder.opening = holder, opened()
            holder.cluster = await holder.opening.__aenter__()
            holder.events = holder.cluster.events()
            holder.ticket = holder.cluster.do(swim.SetTags({}))
        asyncio.run(main())
    """,
    "dropped-and-collected": """
        async def main():
            cluster = await opened().__aenter__()
            del cluster
            gc.collect()
        asyncio.run(main())
        while [each for each in threading.enumerate() if each.name.startswith("swim:n")]:
            time.sleep(0.01)
        assert not children()
    """,
    "daemon-thread-reads": """
        async def main():
            global cluster
            cluster = await opened().__aenter__()
            def read():
                while True:
                    cluster.members(), cluster.stats(), cluster.events()
            threading.Thread(target=read, daemon=True).start()
        asyncio.run(main())
    """,
    "fork": """
        async def main():
            async with opened() as cluster:
                if (child := os.fork()) == 0:
                    os._exit(0)
                os.waitpid(child, 0)
                await cluster.set_tags({"a": "1"})
        asyncio.run(main())
    """,
    "exec": """
        async def main():
            async with opened() as cluster:
                os.execv(sys.executable, [sys.executable, "-c", "pass"])
        asyncio.run(main())
    """,
    "logs-to-the-end": """
        logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
        async def main():
            global cluster
            cluster = await opened().__aenter__()
            for number in range(50):
                cluster.do(swim.SendUserEvent(f"e{number}"))
        asyncio.run(main())
    """,
}
