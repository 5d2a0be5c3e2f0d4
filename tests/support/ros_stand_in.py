"""What the node of docs/python_hosts.md takes of ROS 2, which no package index has: stand-ins.

Names and arguments are those of rclpy, sensor_msgs and cv_bridge; nothing goes over a network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest


@dataclass
class Time:
    sec: int = 0
    nanosec: int = 0


@dataclass
class Header:
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
class Image:
    header: Header = field(default_factory=Header)
    height: int = 0
    width: int = 0
    encoding: str = ""
    step: int = 0
    data: bytes = b""


class CvBridge:
    def imgmsg_to_cv2(self, message: Image, encoding: str) -> npt.NDArray[np.uint8]:
        assert message.encoding == encoding == "bgr8"
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        return rows[:, : 3 * message.width].reshape(message.height, message.width, 3)

    def cv2_to_imgmsg(self, image: npt.NDArray[np.uint8], encoding: str) -> Image:
        assert encoding == "bgr8"
        height, width, _ = image.shape
        return Image(Header(), height, width, encoding, 3 * width, image.tobytes())


@dataclass
class Parameter:
    value: Any


class Publisher:
    def __init__(self) -> None:
        self.sent: list[Image] = []

    def publish(self, message: Image) -> None:
        self.sent.append(message)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.publishers: dict[str, Publisher] = {}
        self.callbacks: dict[str, Callable[[Image], None]] = {}

    def declare_parameter(self, name: str, value: object) -> Parameter:
        assert name
        return Parameter(value)

    def create_publisher(self, kind: type, topic: str, profile: object) -> Publisher:
        assert kind is Image
        assert profile == "sensor data"
        self.publishers[topic] = Publisher()
        return self.publishers[topic]

    def create_subscription(
        self, kind: type, topic: str, callback: Callable[[Image], None], profile: object
    ) -> None:
        assert kind is Image
        assert profile == "sensor data"
        self.callbacks[topic] = callback


def stand_in_for_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `rclpy`, `sensor_msgs` and `cv_bridge` be imported."""
    contents: dict[str, dict[str, object]] = {
        "rclpy": {},
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {"qos_profile_sensor_data": "sensor data"},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"Image": Image},
        "cv_bridge": {"CvBridge": CvBridge},
    }
    for name, parts in contents.items():
        module = ModuleType(name)
        vars(module).update(parts)
        monkeypatch.setitem(sys.modules, name, module)
