// Rdns measures ptrname.Classify on labeled names. It reads a file of tab-separated lines:
// a header, then for each name its columns ip, name, label (generic or deliberate),
// difficulty (easy or hard) and provider:
//
//	ip	name	label	difficulty	provider
//	192.0.2.10	mail.example.com	deliberate	easy	example.com
//
// From the root of the checkout:
//
//	go run ./internal/lab/rdns names.tsv
//
// It prints the figures for all names and for each of five folds, which share no
// provider. For each fold it also fits weights on the other four, and prints the figures
// of these: what the rules are worth on names that they were not fitted on.
//
// The flag -fit also prints weights fitted on all names, and -wrong the names that are
// classified wrongly, with their scores and reasons.
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

// unclearBand is how far from 0 ptrname leaves the kind of a name unclear (see
// Assessment.Score).
const unclearBand = 0.5

// A row is one labeled name.
type row struct {
	addr     netip.Addr
	name     string
	generic  bool // by its label
	hard     bool
	provider string

	codes []ptrname.Code
	score float64 // over 0 for generic
}

func main() {
	log.SetFlags(0)
	fit := flag.Bool("fit", false, "print weights fitted on all names")
	wrong := flag.Bool("wrong", false, "print the names that are classified wrongly")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: rdns [-fit] [-wrong] FILE")
	}
	file, err := os.Open(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	rows, err := readRows(file)
	if err != nil {
		log.Fatalf("%s: %v", flag.Arg(0), err)
	}
	report("all", rows)
	crossValidate(rows)
	if *fit {
		fitWeights(rows).print(rows)
	}
	if *wrong {
		for _, r := range rows {
			if r.score > 0 != r.generic {
				fmt.Printf("%+.1f %t %s %s %v\n", r.score, r.generic, r.addr, r.name, ptrname.Classify(r.addr, r.name).Reasons)
			}
		}
	}
}

// crossValidate reports each fold, by the scores of ptrname and by weights that are
// fitted on the other folds.
func crossValidate(rows []*row) {
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
		fitted := fitWeights(train)
		rescored := make([]*row, 0, len(test))
		for _, r := range test {
			again := *r
			again.score = fitted.score(r)
			rescored = append(rescored, &again)
		}
		report(fmt.Sprintf("fold %d, weights of the others", fold+1), rescored)
		unseen = append(unseen, rescored...)
	}
	report("all folds, weights of the others", unseen)
}

func readRows(r io.Reader) ([]*row, error) {
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

// foldOf returns the fold of a provider.
func foldOf(provider string, folds int) int {
	h := fnv.New32a()
	io.WriteString(h, provider)
	return int(h.Sum32() % uint32(folds))
}

// report prints how well the scores of rows fit their labels.
func report(title string, rows []*row) {
	var generic, deliberate, hard tally // by label
	var unclear, calledGeneric, calledDeliberate tally
	for _, r := range rows {
		found := r.score > 0 == r.generic
		if r.generic {
			generic.add(found)
			if r.hard {
				hard.add(found)
			}
		} else {
			deliberate.add(found)
		}
		switch {
		case r.score > unclearBand:
			calledGeneric.add(found)
		case r.score < -unclearBand:
			calledDeliberate.add(found)
		}
		unclear.add(math.Abs(r.score) <= unclearBand)
	}
	wrong := deliberate.all - deliberate.right
	precision, recall := generic.right/(generic.right+wrong), generic.share()
	fmt.Printf("%-32s %4d names: F1 %.3f (precision %.3f, recall %.3f), deliberate called generic %.1f %%, recall of hard generic %.3f; unclear %.1f %%, precision generic %.3f, deliberate %.3f\n",
		title, len(rows), 2*precision*recall/(precision+recall), precision, recall, 100*wrong/deliberate.all, hard.share(),
		100*unclear.share(), calledGeneric.share(), calledDeliberate.share())
}

// A tally counts names, and those of them for which something holds.
type tally struct{ right, all float64 }

func (n *tally) add(right bool) {
	n.all++
	if right {
		n.right++
	}
}

func (n *tally) share() float64 { return n.right / n.all }

// weights has a weight for each code. That of code 0 counts for all names.
type weights map[ptrname.Code]float64

func (m weights) score(r *row) float64 {
	score := m[0]
	for _, c := range r.codes {
		score += m[c]
	}
	return score
}

// fitWeights fits weights by gradient descent on the logistic loss, with a penalty on
// large ones.
func fitWeights(rows []*row) weights {
	const rounds, rate, penalty = 4000, 2.0, 0.0015
	m := make(weights)
	for range rounds {
		gradient := make(weights)
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

// print prints the weights, and how often generic and deliberate names have each code.
func (m weights) print(rows []*row) {
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
