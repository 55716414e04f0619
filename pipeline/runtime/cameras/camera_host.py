"""Several cameras in one process, and the networks that work beside them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import ProcessLostError, ReidError
from pipeline.runtime.actor_ref import ActorHost, ActorRef
from pipeline.runtime.batch_actor import BatchActor
from pipeline.runtime.cameras.camera import Camera, UnbuiltCamera
from pipeline.runtime.cameras.camera_actor import CameraActor
from pipeline.runtime.cameras.picture_memory import keep_picture_memory
from pipeline.runtime.plan import Share
from pipeline.runtime.stage_calls import StageCalls
from pipeline.telemetry.batch_status import BatchStatus

Calls = Mapping[str, Callable[[Any], Awaitable[Any]]]
"""By stage: what processes one item."""
MakeCamera = Callable[[Calls], CameraActor]
MakeStage = Callable[[], BatchActor]


@dataclass(frozen=True, slots=True)
class StageMaker:
    """A stage with its network.

    Attributes:
        name: No other network of the run has it.
        make: Builds one actor; None where they are elsewhere.
        share: How many actors there are, and what each reserves.
        elsewhere: The actors, if they work in processes of their own.
    """

    name: str
    make: MakeStage | None
    share: Share
    elsewhere: Sequence[ActorRef] = ()


@dataclass(frozen=True, slots=True)
class CameraMaker:
    """A camera that is to be built, and the stages that only it and cameras like it use.

    Attributes:
        make: Builds it; given what processes the items of each stage.
        own: By kind of stage: used in place of that of the other cameras.
    """

    make: MakeCamera
    own: Mapping[str, StageMaker] = field(default_factory=dict)


def stages_of(cameras: Iterable[CameraMaker], stages: Mapping[str, StageMaker]) -> dict[str, StageMaker]:
    """Return the stages that cameras use, by name; ``stages`` are those of all cameras, by kind."""
    return {stage.name: stage for camera in cameras for stage in {**stages, **camera.own}.values()}


class CameraHost:
    """The cameras of one process. They share its event loop, as all do where everything is in one process.

    Args:
        make_cameras: By camera.
        stages: Of all cameras, by kind.
        max_items: Items at most in a call to a stage in another process.
    """

    def __init__(
        self, *, make_cameras: Mapping[str, CameraMaker], stages: Mapping[str, StageMaker], max_items: int
    ) -> None:
        keep_picture_memory()
        self._stages = stages
        self._max_items = max_items
        self._here: dict[str, ActorRef] = {}
        self._calls: dict[str, Callable[[Any], Awaitable[Any]]] = {}
        self._makers = dict(make_cameras)
        self._open([*stages.values(), *stages_of(make_cameras.values(), stages).values()])
        self._cameras: dict[str, Camera] = {}
        for camera_id, maker in make_cameras.items():
            try:
                self._cameras[camera_id] = self._built(maker)
            except ReidError as error:
                self._cameras[camera_id] = UnbuiltCamera(error)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The cameras, by name."""
        return self._cameras

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that are called here, those of all cameras first."""
        return tuple(self._calls)

    async def ready(self) -> None:
        """Return once every network is loaded that a camera here uses."""
        await self._load(stages_of(self._makers.values(), self._stages))

    async def camera(self, camera_id: str, method: str, *arguments: Any) -> Any:
        """Return what a method of a camera returns.

        Raises:
            ProcessLostError: If the camera was let go of meanwhile: on Ray, calls may overtake each other.
        """
        if camera_id not in self._cameras:
            raise ProcessLostError(f"camera {camera_id}")
        return await getattr(self._cameras[camera_id], method)(*arguments)

    async def add(self, camera_id: str, maker: CameraMaker) -> None:
        """Build one more camera, with the networks that it needs; raise what is wrong with one."""
        self._makers[camera_id] = maker
        needed = stages_of([maker], self._stages)
        try:
            self._open(needed.values())
            await self._load(needed)
            self._cameras[camera_id] = self._built(maker)
        except BaseException:
            await self.drop(camera_id)
            raise

    async def drop(self, camera_id: str) -> None:
        """Let go of a camera whose ``run`` has returned, and of the networks that only it used."""
        self._cameras.pop(camera_id, None)
        self._makers.pop(camera_id, None)
        used = {stage.name for stage in self._stages.values()} | set(stages_of(self._makers.values(), self._stages))
        for name in self._calls.keys() - used:
            del self._calls[name]
            if name in self._here:
                for host in self._here.pop(name).hosts:
                    host.close()

    async def process(self, kind: str, item: Any) -> Any:
        """Return the result of a stage of all cameras that works here."""
        return await self._calls[kind](item)

    async def busy(self, name: str) -> BatchStatus:
        """Return the status of a stage; nothing if it does not work here."""
        actors = self._here[name].each() if name in self._here else []
        return sum([await actor.call("busy") for actor in actors], BatchStatus())

    def _open(self, stages: Iterable[StageMaker]) -> None:
        """Prepare what calls these stages; networks are loaded by ``_load``, or else at the first call."""
        for stage in stages:
            if stage.name in self._calls:
                continue
            if stage.make is None:
                self._calls[stage.name] = StageCalls(stage.elsewhere, max_items=self._max_items)
            else:
                hosts = [ActorHost(stage.make, in_thread=True) for _ in range(stage.share.replicas)]
                self._here[stage.name] = ActorRef(stage.name, hosts)
                self._calls[stage.name] = self._here[stage.name].method("process")

    async def _load(self, names: Iterable[str]) -> None:
        for name in names:
            for actor in self._here[name].each() if name in self._here else ():
                await actor.call("ready")

    def _built(self, maker: CameraMaker) -> CameraActor:
        stages = {**self._stages, **maker.own}
        return maker.make({kind: self._calls[stage.name] for kind, stage in stages.items()})
