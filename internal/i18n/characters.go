package i18n

import (
	"strconv"
	"strings"
)

// characterNames are the characters that come along with what people paste, by their
// numbers.
var characterNames = map[string]Text{
	"U+0000": {"空字符", "null"},
	"U+0009": {"制表符", "tab"},
	"U+000A": {"换行", "line break"},
	"U+000D": {"回车", "line break"},
	"U+001B": {"转义控制符", "escape"},
	"U+007F": {"删除控制符", "delete"},
	"U+00AD": {"软连字符", "soft hyphen"},
	"U+034F": {"组合连接符", "combining grapheme joiner"},
	"U+061C": {"阿拉伯字母方向标记", "Arabic letter mark"},
	"U+180E": {"蒙古文元音分隔符", "Mongolian vowel separator"},
	"U+200B": {"零宽空格", "zero-width space"},
	"U+200C": {"零宽不连字符", "zero-width non-joiner"},
	"U+200D": {"零宽连字符", "zero-width joiner"},
	"U+200E": {"从左到右标记", "left-to-right mark"},
	"U+200F": {"从右到左标记", "right-to-left mark"},
	"U+2028": {"行分隔符", "line separator"},
	"U+2029": {"段落分隔符", "paragraph separator"},
	"U+202A": {"从左到右嵌入符", "left-to-right embedding"},
	"U+202B": {"从右到左嵌入符", "right-to-left embedding"},
	"U+202C": {"方向结束符", "end of direction"},
	"U+202D": {"强制从左到右", "left-to-right override"},
	"U+202E": {"强制从右到左", "right-to-left override"},
	"U+2060": {"词连接符", "word joiner"},
	"U+2066": {"从左到右隔离符", "left-to-right isolate"},
	"U+2067": {"从右到左隔离符", "right-to-left isolate"},
	"U+2068": {"首字方向隔离符", "first strong isolate"},
	"U+2069": {"隔离结束符", "end of isolate"},
	"U+2800": {"盲文空格", "braille blank"},
	"U+3164": {"韩文填充符", "Hangul filler"},
	"U+FEFF": {"字节顺序标记", "byte order mark"},
	"U+FFA0": {"半角韩文填充符", "half-width Hangul filler"},
	"U+FFFD": {"乱码字符", "replacement character"},
}

// CharacterName names a character by its number, such as U+200B: 零宽空格 U+200B.
func CharacterName(l Lang, number string) string {
	if t, ok := characterNames[number]; ok {
		return t.In(l) + " " + number
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(number, "U+"), 16, 32)
	if err == nil && (n >= 0xfe00 && n <= 0xfe0f || n >= 0xe0100 && n <= 0xe01ef || n >= 0x180b && n <= 0x180f) {
		return l.T("变体选择符", "variation selector") + " " + number
	}
	return number
}
