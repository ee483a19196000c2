"""Make the fonts of this folder again, byte for byte, from Debian's packages: see README.md.

python templates/fonts/make.py FOLDER, where FOLDER holds what `dpkg-deb -x` has unpacked.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
SCRIPTS, WEIGHTS = ("", "Arabic", "Hebrew", "Thai"), ("Regular", "Bold")
WHOLE = (
    *(f"noto/NotoSans{script}-{weight}.ttf" for script in SCRIPTS for weight in WEIGHTS),
    "dejavu/DejaVuSans.ttf",
)
# What is written as Chinese, Japanese or Korean, and not what other fonts here have in their own hand.
EAST_ASIAN = (range(0x2E80, 0xA4D0), range(0xAC00, 0xD7B0), range(0xF900, 0xFB00), range(0xFE30, 0xFE50))
EAST_ASIAN_TOO = (range(0xFF00, 0xFFF0), range(0x20000, 0x30000))
SHAPED = ["ccmp", "ljmo", "vjmo", "tjmo"]


def repertoire(*encodings: str) -> set[int]:
    """Return the East Asian characters that have a place in any of these character sets."""
    ranges = (*EAST_ASIAN, *EAST_ASIAN_TOO)
    return {code for among in ranges for code in among if any(_has(encoding, code) for encoding in encodings)}


def _has(encoding: str, code: int) -> bool:
    try:
        return bool(chr(code).encode(encoding))
    except UnicodeEncodeError:
        return False


def common_traditional() -> set[int]:
    """Return the first level of Big5: the characters in everyday use in Taiwan and Hong Kong."""
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    pairs = (bytes([lead, trail]) for lead in range(0xA4, 0xC7) for trail in trails if (lead, trail) <= (0xC6, 0x7E))
    return {ord(text) for pair in pairs if len(text := pair.decode("big5", "ignore")) == 1}


def make(source: Path, target: Path, codes: Iterable[int], *, features: list[str], name: str = "JP") -> None:
    """Write a font with these characters only; the first of a collection is the one with Japanese forms."""
    options = subset.Options(
        font_number=0,
        layout_features=features,
        hinting=False,
        desubroutinize=False,
        notdef_outline=True,
        recalc_timestamp=False,
        name_IDs=["*"],
    )
    options.drop_tables += ["BASE", "vhea", "vmtx", "VORG", "DSIG"]
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=sorted(codes))
    subsetter.subset(font)
    for record in font["name"].names:
        record.string = record.toUnicode().replace("CJK JP", f"CJK {name}").replace("CJKjp", f"CJK{name}")
    font["CFF "].cff.fontNames[0] = font["name"].getDebugName(6)
    subset.save_font(font, str(target), options)


def coverage() -> str:
    """Return all characters that have a glyph, as ranges, a line each."""
    known: set[int] = set()
    for path in sorted(HERE.glob("*.[ot]tf")):
        with TTFont(path, lazy=True) as font:
            known.update(font.getBestCmap())
    starts = sorted(code for code in known if code - 1 not in known)
    ends = sorted(code for code in known if code + 1 not in known)
    return "".join(f"{start:04X}-{end:04X}\n" for start, end in zip(starts, ends, strict=True))


def main(unpacked: Path) -> None:
    fonts = unpacked / "usr/share/fonts"
    for name in WHOLE:
        shutil.copyfile(fonts / "truetype" / name, HERE / Path(name).name)
    usual = repertoire("gb2312", "cp932", "euc_kr") | common_traditional()
    rare = repertoire("gbk", "big5", "euc_jis_2004") - usual
    noto = fonts / "opentype/noto"
    regular = noto / "NotoSansCJK-Regular.ttc"
    make(regular, HERE / "NotoSansCJK-Regular.otf", usual, features=["locl", *SHAPED])
    make(noto / "NotoSansCJK-Bold.ttc", HERE / "NotoSansCJK-Bold.otf", usual, features=SHAPED)
    make(regular, HERE / "NotoSansCJK-Rare.otf", rare, features=SHAPED, name="Rare")
    (HERE / "coverage.txt").write_text(coverage())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
