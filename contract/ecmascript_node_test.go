package contract

import (
	"bytes"
	"context"
	"encoding/base64"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"
)

// Seed 000's receiver runs in Node, so Node itself has the last word on the form.
func TestECMAScriptFormIsWhatNodeWrites(t *testing.T) {
	const count = 12_000
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not on PATH; this test compares with JSON.stringify(JSON.parse(x)) in Node 18 or newer")
	}
	var texts [][]byte
	for _, test := range ecmaScriptCases {
		texts = append(texts, []byte(test.text))
	}
	for _, test := range longNumberCases {
		texts = append(texts, []byte(test.text))
	}
	texts = append(texts, ordinaryBody(t))
	for seed := uint64(2025); len(texts) < count; {
		random := rand.New(rand.NewPCG(seed, uint64(len(texts))))
		texts = append(texts, randomText(random))
	}
	var input bytes.Buffer
	for _, text := range texts {
		input.WriteString(base64.StdEncoding.EncodeToString(text) + "\n")
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, node, "testdata/ecmascript/stringify.js")
	var complaint bytes.Buffer
	command.Stdin, command.Stderr = &input, &complaint
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	lines := bytes.Split(bytes.TrimSuffix(output, []byte("\n")), []byte("\n"))
	if len(lines) != len(texts) {
		t.Fatalf("node answered %d of %d texts", len(lines), len(texts))
	}
	changed, wrong := 0, 0
	for i, line := range lines {
		want, err := base64.StdEncoding.AppendDecode(nil, line)
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendECMAScript(nil, texts[i])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("text %d: %.500q\n got %.500q, %v\nnode %.500q", i, texts[i], got, err, want)
			if wrong++; wrong == 5 {
				t.FailNow()
			}
		}
		if !bytes.Equal(want, texts[i]) {
			changed++
		}
	}
	if changed < count/2 {
		t.Errorf("only %d of %d texts are changed by Node: the generator has lost its traps", changed, count)
	}
}
