package sqlite

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"correction-console/internal/correction"
)

// The search index holds short pieces of the texts, so that a word is found wherever it
// stands, in languages without blanks too: each character, each pair, and of ASCII, in
// which numbers are written, each four.

// fold is a text as it is compared in a search: without what cannot be seen, and with
// width, case and other forms of the same characters made one (NFKC and case folding).
// The index keeps folded texts: whoever changes this makes it anew by a migration.
func fold(s string) string {
	plain := true
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z', r == '\u3000', r >= '\uff01' && r <= '\uff5e':
			plain = false
		case r >= ' ' && r < 0x7f, r == '\n', r == '\t', r >= '\u4e00' && r <= '\u9fff', r == '、', r == '。', r >= '《' && r <= '】', r >= '‘' && r <= '”':
		default:
			return foldAny(s)
		}
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= '\uff01' && r <= '\uff5e' {
			r -= 0xfee0
		}
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r == '\u3000':
			r = ' '
		}
		return r
	}, s)
}

// foldAny is fold for any text. What one step brings about may be something for another:
// it ends where nothing changes any more.
func foldAny(s string) string {
	for range 4 {
		was := s
		s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		s = strings.Map(func(r rune) rune {
			if correction.Hidden(r) {
				return -1
			}
			return r
		}, s)
		if s == was {
			break
		}
	}
	return s
}

// words are the words of a search, folded.
func words(text string) []string { return strings.Fields(fold(text)) }

// pieceRune is a character as the index has it: its tokenizer parts at ASCII signs.
func pieceRune(r rune) rune {
	if r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
		return 0xe000 + r
	}
	return r
}

const (
	pair = 2
	four = 4
)

// ascii4 reports whether four characters begin at i that are all ASCII and no blanks.
func ascii4(runes []rune, i int) bool {
	if i+four > len(runes) {
		return false
	}
	for _, r := range runes[i : i+four] {
		if r >= 0x80 || unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// pieces collects the pieces of texts, each once, separated by blanks.
type pieces struct {
	text  strings.Builder
	seen  map[string]struct{}
	runes []rune
	one   []byte
}

func (p *pieces) reset() {
	p.text.Reset()
	if p.seen == nil {
		p.seen = map[string]struct{}{}
	}
	clear(p.seen)
}

func (p *pieces) piece(runes []rune) {
	p.one = p.one[:0]
	for _, r := range runes {
		p.one = append(p.one, string(pieceRune(r))...)
	}
	p.add(p.one)
}

func (p *pieces) add(piece []byte) {
	if _, ok := p.seen[string(piece)]; ok {
		return
	}
	p.seen[string(piece)] = struct{}{}
	p.text.Write(piece)
	p.text.WriteByte(' ')
}

// cut adds the pieces of a text.
func (p *pieces) cut(text string) {
	p.runes = p.runes[:0]
	for _, r := range fold(text) {
		p.runes = append(p.runes, r)
	}
	for i, r := range p.runes {
		if unicode.IsSpace(r) {
			continue
		}
		p.piece(p.runes[i : i+1])
		if i+1 < len(p.runes) && !unicode.IsSpace(p.runes[i+1]) {
			p.piece(p.runes[i : i+pair])
		}
		if ascii4(p.runes, i) {
			p.piece(p.runes[i : i+four])
		}
	}
}

// maxPieces bounds how many pieces of one word are looked for. More do not make it much
// rarer.
const maxPieces = 8

// wordPieces are the pieces that a text with the word has; exact when a text that has
// them has the word.
func wordPieces(word string) (list []string, exact bool) {
	runes := []rune(word)
	var p pieces
	p.reset()
	switch {
	case len(runes) <= pair:
		p.piece(runes)
		exact = true
	case len(runes) == four && ascii4(runes, 0):
		p.piece(runes)
		exact = true
	default:
		for i := 0; i < len(runes)-1 && len(p.seen) < maxPieces; {
			switch {
			case ascii4(runes, i) && ascii4(runes, i+2):
				p.piece(runes[i : i+four])
				i += 2
			case ascii4(runes, i):
				p.piece(runes[i : i+four])
				i++
				if !ascii4(runes, i) { // the pairs in it say nothing more
					i += 2
				}
			default:
				p.piece(runes[i : i+pair])
				i++
			}
		}
	}
	return strings.Fields(p.text.String()), exact
}
