package archtest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	l := newLaw(t, "a link that leads nowhere costs each reader a search", nil)
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
	for _, text := range l.house.texts {
		if path.Ext(text.path) != ".md" {
			continue
		}
		for _, found := range link.FindAllStringSubmatch(text.content, -1) {
			target := found[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(l.house.root, filepath.FromSlash(path.Join(path.Dir(text.path), target)))); err != nil {
				l.breach(text.path, "links to %s, which is not there", target)
			}
		}
	}
}

func TestPathsThatDocumentsNameAreThere(t *testing.T) {
	l := newLaw(t, "steps that name a file that has gone cannot be followed", nil)
	named := regexp.MustCompile("`((?:api|client|cmd|contract|docs|internal|signature|test|tools)/[A-Za-z0-9_./-]+)`")
	for _, text := range l.house.texts {
		if text.path != "CONTRIBUTING.md" && text.path != "README.md" && text.path != "docs/architecture.md" {
			continue
		}
		for _, found := range named.FindAllStringSubmatch(text.content, -1) {
			if _, err := os.Stat(filepath.Join(l.house.root, filepath.FromSlash(found[1]))); err != nil {
				l.breach(text.path, "names %s, which is not there", found[1])
			}
		}
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	l := newLaw(t, "a decision that nobody finds is made again, differently", nil)
	const folder, index = "docs/decisions/", "docs/decisions/README.md"
	listed := ""
	for _, text := range l.house.texts {
		if text.path == index {
			listed = text.content
		}
	}
	for _, text := range l.house.texts {
		if strings.HasPrefix(text.path, folder) && text.path != index && !strings.Contains(listed, "("+path.Base(text.path)+")") {
			l.breach(text.path, "is not in %s", index)
		}
	}
}
