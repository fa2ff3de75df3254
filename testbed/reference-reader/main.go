// Reads image names as the kubelet and containerd do: JSON texts, a line each, to {"host", "path", "tag", "digest"} or {"error"}.
package main

import (
	"bufio"
	_ "crypto/sha256"
	"encoding/json"
	"os"

	"github.com/distribution/reference"
)

type answer struct {
	Host   string `json:"host,omitempty"`
	Path   string `json:"path,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for lines.Scan() {
		var name string
		if err := json.Unmarshal(lines.Bytes(), &name); err != nil {
			panic(err)
		}
		answers.Encode(read(name))
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}

// As in the kubelet's ParseImageName and containerd's CRI: latest where neither tag nor digest is said, the digest where both are.
func read(name string) answer {
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return answer{Error: err.Error()}
	}
	is := answer{Host: reference.Domain(named), Path: reference.Path(named)}
	if tagged, ok := named.(reference.Tagged); ok {
		is.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		is.Digest = digested.Digest().String()
	}
	return is
}
