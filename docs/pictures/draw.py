#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws what `tmux capture-pane -e -p` printed (text with SGR sequences) as a PNG: draw.py COLUMNS ROWS dark|light OUT.png <TEXT"""
import re
import sys
import unicodedata

from PIL import Image, ImageDraw, ImageFont

FONTS = '/usr/share/fonts/truetype/dejavu/DejaVuSansMono%s.ttf'
SIZE = 14
LOOK = {  # background, text, the eight colours
    'dark': ((24, 26, 31), (208, 208, 208), [(90, 90, 90), (235, 90, 90), (120, 200, 110), (235, 195, 80), (100, 150, 240),
                                            (200, 130, 220), (90, 195, 205), (220, 220, 220)]),
    'light': ((252, 252, 250), (40, 40, 40), [(0, 0, 0), (190, 20, 20), (20, 120, 30), (150, 110, 0), (20, 60, 190),
                                             (140, 20, 150), (0, 110, 130), (90, 90, 90)]),
}


def cells(text):
    """(row, column, character, style) of every character"""
    for row, line in enumerate(text.split('\n')):
        style, column = {}, 0
        for part in re.split(r'(\x1b\[[0-9;]*m|\x1b[()].|[\x0e\x0f])', line):
            if part.startswith('\x1b['):
                style = apply(style, part[2:-1])
            elif part[:1] in ('\x1b', '\x0e', '\x0f'):
                continue
            else:
                for character in part:
                    yield row, column, character, style
                    column += 2 if unicodedata.east_asian_width(character) in 'WF' else 1


def apply(style, codes):
    style = dict(style)
    for code in [int(code or 0) for code in codes.split(';')]:
        if code == 0:
            style = {}
        elif code in (1, 2, 4, 7):
            style[code] = True
        elif code == 22:
            style.pop(1, None), style.pop(2, None)
        elif code in (24, 27):
            style.pop(code - 20, None)
        elif 30 <= code <= 37:
            style['colour'] = code - 30
        elif 90 <= code <= 97:
            style['colour'] = code - 90
        elif code == 39:
            style.pop('colour', None)
    return style


def mix(colour, background):
    return tuple((a + b) // 2 for a, b in zip(colour, background))


def main():
    columns, rows, look, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    background, plain, colours = LOOK[look]
    normal, bold = (ImageFont.truetype(FONTS % name, SIZE) for name in ('', '-Bold'))
    width, height = round(normal.getlength('M')), SIZE + 4
    image = Image.new('RGB', (columns * width + 16, rows * height + 12), background)
    draw = ImageDraw.Draw(image)
    for row, column, character, style in cells(sys.stdin.read()):
        if row >= rows or column >= columns:
            continue
        ink, paper = colours[style['colour']] if 'colour' in style else plain, background
        if style.get(2):
            ink = mix(ink, background)
        if style.get(7):
            ink, paper = paper, ink
        x, y = 8 + column * width, 6 + row * height
        if paper != background:
            draw.rectangle([x, y, x + width - 1, y + height - 1], paper)
        draw.text((x, y), character, ink, bold if style.get(1) else normal)
        if style.get(4):
            draw.line([x, y + height - 2, x + width - 1, y + height - 2], ink)
    image.quantize(32).save(out, optimize=True)


main()
