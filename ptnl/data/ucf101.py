"""UCF101 (Soomro et al. 2012) as images, the middle frame of every video, with official split 1."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from ptnl.data.archives import Archives, is_coop
from ptnl.data.splits import Row, hold_out_fifth, manifest_of, read_lines, read_split
from ptnl.errors import InputError
from ptnl.fetch.ownership import discard

FRAMES = "UCF-101-midframes.zip"  # frames from CoOp, the default
VIDEOS = "UCF101_videos.zip"  # videos, from which ptnl cuts frames
LISTS = "UCF101TrainTestSplits-RecognitionTask.zip"
SPLIT = "split_zhou_UCF101.json"
PICTURES = "UCF-101-midframes"
QUALITY = 95  # of the JPEG files that are cut


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack or cut the frames, and put CoOp's split or the official lists beside them.

    See `ptnl.data.class_folders`.
    """
    if options.get("frames", "published") == "published":
        archives.unpack(FRAMES, images)
    else:
        archives.unpack(VIDEOS, images / "videos")
        cut_frames(images / "videos", images / PICTURES)
        discard(images / "videos")
    if not is_coop(options):
        archives.unpack(LISTS, images)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels follow the lines of `classInd.txt`, which are not sorted by name."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    lists = images / "ucfTrainTestlist"
    labels = _labels(lists / "classInd.txt")

    def listed(path: Path) -> list[Row]:
        """The videos of an official list, whose lines begin with `action/video.avi`."""
        rows = []
        for line in read_lines(path):
            action, _, video = line.split()[0].partition("/")
            if action not in labels:
                raise InputError(f"{path}: {action!r} is not in classInd.txt")
            name = separated(action)
            rows.append((f"{PICTURES}/{name}/{Path(video).stem}.jpg", labels[action], name))
        return rows

    trainval = hold_out_fifth(listed(lists / "trainlist01.txt"))
    return manifest_of({**trainval, "test": listed(lists / "testlist01.txt")})


def _labels(path: Path) -> dict[str, int]:
    """Action -> label, from lines with a number (from 1) and an action."""
    try:
        numbered = [line.split() for line in read_lines(path)]
        return {action: int(number) - 1 for number, action in numbered}
    except ValueError as error:
        raise InputError(f"{path}: not a list of numbers and actions ({error})") from error


def separated(action: str) -> str:
    """`Apply_Eye_Makeup` for `ApplyEyeMakeup`: the class name, and the folder of its frames."""
    return "_".join(re.findall("[A-Z][^A-Z]*", action))


def action_of(video: str) -> str:
    """The action in the name of a video, such as `v_ApplyEyeMakeup_g01_c01`."""
    action = video.split("_")[1]
    # Names of videos spell this one differently from its class.
    return {"HandStandPushups": "HandstandPushups"}.get(action, action)


def cut_frames(videos: Path, pictures: Path) -> None:
    """Write the middle frame of every video below `videos` as JPEG: of n frames, number n // 2.

    The files are called `pictures/Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c01.jpg`.
    """
    try:
        import av
    except ImportError as error:
        raise InputError(
            "ucf101: cutting frames from videos needs the package av: pip install av"
        ) from error
    files = sorted(videos.rglob("v_*.avi"))
    if not files:
        raise InputError(f"{VIDEOS}: holds no videos named v_*.avi")
    for file in tqdm(files, unit="video", disable=None):
        try:
            with av.open(str(file)) as container:
                frames = list(container.decode(video=0))
            middle = frames[len(frames) // 2].to_image()
        except (av.FFmpegError, IndexError) as error:
            raise InputError(f"{file.name}: not readable as a video ({error})") from error
        folder = pictures / separated(action_of(file.stem))
        folder.mkdir(parents=True, exist_ok=True)
        middle.save(folder / f"{file.stem}.jpg", quality=QUALITY)
