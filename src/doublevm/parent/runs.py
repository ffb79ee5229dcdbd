"""The parent VM's life: configured once, then run after run until the host hangs up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from doublevm.confinement import Confinement, Rung
from doublevm.engines.base import (
    Done,
    EngineDiedError,
    EngineProtocolError,
    EngineStartError,
    Program,
)
from doublevm.engines.choice import Choice, Reason, Refusal, choose
from doublevm.monitor import Monitor
from doublevm.parent.grading import Grader
from doublevm.parent.outcome import (
    broken,
    done,
    failed,
    lacking,
    refused,
    scoring_blocked,
    stopped,
)
from doublevm.parent.patience import patience
from doublevm.parent.policy import validation_of
from doublevm.parent.reading import LONGEST, Reader, found, refused_unrun
from doublevm.parent.relay import Relay, StoppedError
from doublevm.state import from_wire
from doublevm.wire import frames as f
from doublevm.wire import guard_frames as g

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping

    from doublevm.engines.base import Engine
    from doublevm.guard.program import Program as Text
    from doublevm.guard.reading import Reading
    from doublevm.parent.pipe import HostPipe
    from doublevm.parent.types import TypeCheck
    from doublevm.parent.watchdog import Watchdog


class ParentVM:
    """Runs programs for one enclave after the other."""

    def __init__(
        self,
        host: HostPipe,
        watchdog: Watchdog,
        engines: Mapping[f.EngineName, Engine],
        configure: f.Configure,
        confinement: Confinement,
        types: TypeCheck | None = None,
    ) -> None:
        """Know the tools; no engine is started before it is needed."""
        self._host, self._watchdog, self._engines = host, watchdog, engines
        self._tools = tuple(spec.name for spec in configure.tools)
        self._configure = configure
        self._monitor = _monitor(configure)
        self._reader = Reader(configure)
        self._grader = Grader(configure)
        self._types = types
        self._session: Engine | None = None
        self._last: Engine | None = None
        """The engine of the last run, which will be that of the next one as a rule."""
        guard = configure.guard
        self._max_iterations = None if guard is None else guard.max_iterations
        self._no_cpython = _why_no_cpython(configure, confinement)

    def serve(self) -> None:
        """Take what the host sends, for ever."""
        while True:
            frame = self._host.receive()
            if isinstance(frame, f.Run):
                self._host.end(self._run(frame))
                self._rest()
            elif isinstance(frame, f.Check):
                self._host.end(self._check(frame))
            elif isinstance(frame, f.Remember):
                self._monitor.remember(from_wire(frame.entries))
            elif isinstance(frame, f.Renew):
                self._renew()
            elif isinstance(frame, f.EndSession):
                self._end_session()

    def _check(self, check: f.Check) -> f.Checked:
        reading = self._read(check.source, check.inputs, check.timeout)
        engine, reasons = self._engine_of(check.engine, reading.tree)
        because = tuple(g.Because(reason.what[:LONGEST], reason.line) for reason in reasons)
        graded = None
        if reading.tree is not None and not reading.refusing and self._configure.scoring:
            graded = self._grader.grade(check.source, reading.tree, check.timeout)
        return f.Checked(check.run, found(reading), engine, because[: g.MOST_FINDINGS], graded)

    def _read(self, source: str, inputs: bytes, timeout: float) -> Reading:
        reading = self._reader.read(source, inputs, timeout)
        if self._types is not None:
            self._types.apply(reading, timeout)
        return reading

    def _engine_of(
        self, wanted: f.EngineChoice, tree: ast.Module | None
    ) -> tuple[f.EngineName | None, tuple[Reason, ...]]:
        """Return the engine a program would run on in a fresh guest, and why."""
        if tree is None:
            return None, ()
        if wanted != "auto":
            return wanted, ()
        choice = self._choose(tree)
        if isinstance(choice, Refusal) or choice.engine not in self._engines:
            return None, choice.reasons
        return choice.engine, choice.reasons

    def _choose(self, tree: ast.Module) -> Choice | Refusal:
        choice = choose(tree, frozenset(self._tools))
        if isinstance(choice, Refusal) or self._max_iterations is None:
            return choice
        return Choice("cpython", (*choice.reasons, Reason("counting iterations", 1)))

    def _rest(self) -> None:
        if self._session is None and self._last is not None and not self._last.spent:
            self._last.rest()

    def _run(self, run: f.Run) -> f.Done | f.Failed | f.Broken:
        outcome = self._outcome(run)
        spent = any(engine.spent for engine in self._engines.values())
        if self._types is not None:
            spent = spent or self._types.worker.spent
        if isinstance(outcome, f.Broken) or not spent:
            return outcome
        return msgspec.structs.replace(outcome, spent=True)

    def _outcome(self, run: f.Run) -> f.Done | f.Failed | f.Broken:
        reading = self._read(run.source, run.inputs, run.limits.timeout)
        if reading.refusing or reading.warning:
            self._host.send(f.Read(run.run, found(reading)))
        if reading.refusing:
            return refused_unrun(run.run, reading.refusing)
        text = reading.program
        assert text is not None
        if run.score and not self._may_run(run, text.tree):
            return scoring_blocked(run)
        engine = self._engine_for(run, text.tree)
        if isinstance(engine, f.Failed):
            return engine
        self._last = engine
        try:
            engine.prepare(run.limits.memory, run.limits.timeout, keep=run.session)
        except EngineStartError as error:
            engine.close()
            return broken(run, "unavailable", str(error))
        except EngineDiedError as error:
            engine.close()
            return broken(run, "crashed", str(error))
        except EngineProtocolError as error:
            engine.close()
            return broken(run, "protocol", str(error), error.frame)
        return self._run_on(engine, run, text)

    def _may_run(self, run: f.Run, tree: ast.Module) -> bool:
        """Ask the host whether a program may run that scores as it does."""
        graded = self._grader.grade(run.source, tree, run.limits.timeout)
        decided: f.Decided = self._host.ask(f.Scored(run.run, graded))
        return decided.allowed

    def _engine_for(self, run: f.Run, tree: ast.Module) -> Engine | f.Failed:
        if run.engine != "auto":
            return self._session if run.session and self._session else self._engines[run.engine]
        choice = self._choose(tree)
        if isinstance(choice, Refusal):
            line = choice.reasons[0].line
            return refused(run, choice.message.removeprefix(f"line {line}: "), line)
        reasons = choice.reasons
        if self._session is not None and run.session and reasons and self._session.name == "monty":
            why = f"{reasons[0].what} needs the cpython engine, and this session runs on monty"
            return refused(run, f"{why}; open it with engine='cpython'", reasons[0].line)
        if self._session is not None and run.session:
            return self._session
        if choice.engine not in self._engines:
            why = f"{reasons[0].what} needs the cpython engine, which {self._no_cpython}"
            return refused(run, why, reasons[0].line)
        return self._engines[choice.engine]

    def _run_on(self, engine: Engine, run: f.Run, text: Text) -> f.Done | f.Failed | f.Broken:
        limits = run.limits
        program = Program(
            run.source,
            text.tree,
            run.inputs,
            self._tools,
            limits.timeout,
            limits.memory,
            run.session,
            self._max_iterations,
        )
        relay = Relay(run, self._host, self._monitor, self._watchdog, engine)
        self._host.send(f.Started(run.run, engine.name))
        self._watchdog.arm(limits.timeout, engine.kill)
        problem: Exception | None = None
        end = None
        try:
            end = relay.drive(program)
        except (StoppedError, EngineDiedError, EngineProtocolError) as error:
            problem = error
        stop = self._watchdog.disarm()
        keep = run.session and problem is None and stop is None
        usage = engine.finish(keep=keep)
        self._session = engine if keep else None
        if keep:
            self._reader.remember(text)
        else:
            self._reader.forget()
        if stop is not None:
            return stopped(run, stop, usage)
        if isinstance(problem, EngineProtocolError):
            return broken(run, "protocol", str(problem), problem.frame)
        if end is None:
            return broken(run, "crashed", str(problem))
        if isinstance(end, Done):
            return done(run, end.value, usage)
        lacks = lacking(end, program) if engine.name == "monty" else None
        return failed(run, end, usage, relay, lacks)

    def _renew(self) -> None:
        """Begin another conversation.

        INVARIANT: nothing that was learnt from the last one is left. So the detectors are loaded
        anew as well: a host's function may have kept something of what it was asked.
        """
        self._end_session()
        self._monitor = _monitor(self._configure)
        self._reader = Reader(self._configure)
        self._grader = Grader(self._configure)

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.finish(keep=False)
            self._session = None
        self._reader.forget()


def _monitor(configure: f.Configure) -> Monitor:
    validation = configure.validation
    return Monitor(
        configure.tools,
        validation_of(validation) if validation is not None else None,
        catch_all=configure.catch_all,
        patience=patience,
    )


def _why_no_cpython(configure: f.Configure, confinement: Confinement) -> str:
    weakest = configure.engines.get("cpython")
    if weakest is None:
        return "this security level keeps from engine='auto'"
    return f"this machine cannot confine well enough ({confinement.lacks(Rung(weakest))})"
