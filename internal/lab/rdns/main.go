// Rdns measures ptrname.Classify on labeled names: a file of tab-separated lines with
// the columns ip, name, label (generic or deliberate), difficulty (easy or hard) and
// provider, as the first line says.
//
//	go run ./internal/lab/rdns names.tsv
//
// It prints the figures for all names and for each of five folds, which have no
// provider in common; with them, the figures of weights that are fitted on the other
// four folds, which is what the rules are worth on names that nobody has seen. -fit
// prints weights fitted on all, -wrong the names that are taken for the other.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"maps"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
)

// unclearBand is how far from 0 a score leaves the kind unclear.
const unclearBand = 0.5

// A row is one labeled name.
type row struct {
	addr     netip.Addr
	name     string
	generic  bool
	hard     bool
	provider string

	codes []ptrname.Code
	score float64
}

func main() {
	log.SetFlags(0)
	fit := flag.Bool("fit", false, "print weights fitted on all names")
	wrong := flag.Bool("wrong", false, "print the names that are taken for the other")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: rdns [-fit] [-wrong] FILE")
	}
	file, err := os.Open(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	rows, err := read(file)
	if err != nil {
		log.Fatalf("%s: %v", flag.Arg(0), err)
	}
	report("all", rows)
	const folds = 5
	var unseen []*row
	for fold := range folds {
		var train, test []*row
		for _, r := range rows {
			if foldOf(r.provider, folds) == fold {
				test = append(test, r)
			} else {
				train = append(train, r)
			}
		}
		report(fmt.Sprintf("fold %d", fold+1), test)
		weights := regression(train)
		fitted := make([]*row, 0, len(test))
		for _, r := range test {
			again := *r
			again.score = weights.score(r)
			fitted = append(fitted, &again)
		}
		report(fmt.Sprintf("fold %d, weights of the others", fold+1), fitted)
		unseen = append(unseen, fitted...)
	}
	report("all folds, weights of the others", unseen)
	if *fit {
		regression(rows).print(rows)
	}
	if *wrong {
		for _, r := range rows {
			if r.score > 0 != r.generic {
				fmt.Printf("%+.1f %t %s %s %v\n", r.score, r.generic, r.addr, r.name, ptrname.Classify(r.addr, r.name).Reasons)
			}
		}
	}
}

func read(r io.Reader) ([]*row, error) {
	var rows []*row
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Split(lines.Text(), "\t")
		if n == 1 {
			continue
		}
		if len(f) < 5 || f[2] != "generic" && f[2] != "deliberate" {
			return nil, fmt.Errorf("line %d: %q: expected ip, name, generic or deliberate, difficulty, provider", n, lines.Text())
		}
		addr, err := netip.ParseAddr(f[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		a := ptrname.Classify(addr, f[1])
		r := &row{addr: addr, name: f[1], generic: f[2] == "generic", hard: f[3] == "hard", provider: f[4], score: a.Score}
		for _, reason := range a.Reasons {
			r.codes = append(r.codes, reason.Code)
		}
		rows = append(rows, r)
	}
	if lines.Err() == nil && len(rows) == 0 {
		return nil, errors.New("no names: expected a header and a line for each")
	}
	return rows, lines.Err()
}

// foldOf spreads providers over folds.
func foldOf(provider string, folds int) int {
	h := fnv.New32a()
	io.WriteString(h, provider)
	return int(h.Sum32() % uint32(folds))
}

// report prints how well the scores of rows fit their labels.
func report(title string, rows []*row) {
	var tp, fp, fn, tn, hard, hardFound, unclear, sure, sureRight, sureDel, sureDelRight float64
	for _, r := range rows {
		switch generic := r.score > 0; {
		case generic && r.generic:
			tp++
		case generic:
			fp++
		case r.generic:
			fn++
		default:
			tn++
		}
		if r.hard && r.generic {
			hard++
			if r.score > 0 {
				hardFound++
			}
		}
		switch {
		case r.score > unclearBand:
			sure++
			if r.generic {
				sureRight++
			}
		case r.score < -unclearBand:
			sureDel++
			if !r.generic {
				sureDelRight++
			}
		default:
			unclear++
		}
	}
	precision, recall := tp/(tp+fp), tp/(tp+fn)
	fmt.Printf("%-32s %4d names: F1 %.3f (precision %.3f, recall %.3f), deliberate called generic %.1f %%, recall of hard generic %.3f; unclear %.1f %%, precision generic %.3f, deliberate %.3f\n",
		title, len(rows), 2*precision*recall/(precision+recall), precision, recall, 100*fp/(fp+tn), hardFound/hard,
		100*unclear/float64(len(rows)), sureRight/sure, sureDelRight/sureDel)
}

// model is a weight for each code; that of 0 is for all names.
type model map[ptrname.Code]float64

func (m model) score(r *row) float64 {
	score := m[0]
	for _, c := range r.codes {
		score += m[c]
	}
	return score
}

// regression fits weights by gradient descent on the logistic loss, with a penalty on
// large ones.
func regression(rows []*row) model {
	const rounds, rate, penalty = 4000, 2.0, 0.0015
	m := make(model)
	for range rounds {
		gradient := make(model)
		for _, r := range rows {
			label := 0.0
			if r.generic {
				label = 1
			}
			slope := 1/(1+math.Exp(-m.score(r))) - label
			gradient[0] += slope
			for _, c := range r.codes {
				gradient[c] += slope
			}
		}
		for c, g := range gradient {
			m[c] -= rate * (g/float64(len(rows)) + penalty*m[c])
		}
	}
	return m
}

// print writes weights with how often each code is found in generic and deliberate
// names.
func (m model) print(rows []*row) {
	generic, deliberate := make(map[ptrname.Code]int), make(map[ptrname.Code]int)
	for _, r := range rows {
		for _, c := range r.codes {
			if r.generic {
				generic[c]++
			} else {
				deliberate[c]++
			}
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(m), func(a, b ptrname.Code) int { return cmp.Compare(a, b) }) {
		fmt.Printf("%-20s %+.1f  %4d generic, %4d deliberate\n", c, m[c], generic[c], deliberate[c])
	}
}
