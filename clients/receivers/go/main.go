// A receiver of Hartline's notices: verify, open, store, and only then answer 200.
//
//	receiver receiver.json          receive
//	receiver check FILE.json ...    try this program against the published vectors
//	receiver new-key                make a key pair: keep the first, send us the second
//
// Go 1.22 or newer, nothing else. What the parts of it are for: README.md, and docs/partners.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const largest = 4 << 20

func main() {
	log.SetFlags(0)
	switch arguments := os.Args[1:]; {
	case len(arguments) > 1 && arguments[0] == "check":
		os.Exit(check(arguments[1:]))
	case len(arguments) == 1 && arguments[0] == "new-key":
		newKey()
	case len(arguments) == 1:
		log.Fatal(serve(arguments[0]))
	default:
		log.Fatal("receiver receiver.json | check FILE.json ... | new-key")
	}
}

// Config is receiver.json.
type Config struct {
	AgencyID      string   `json:"agency_id"`
	Listen        string   `json:"listen"`
	Folder        string   `json:"folder"`
	SenderKeys    []string `json:"sender_keys"`
	SharedSecrets []string `json:"shared_secrets"`
	PrivateKeys   []JWK    `json:"private_keys"`
}

func serve(configFile string) error {
	text, err := os.ReadFile(configFile)
	if err != nil {
		return err
	}
	var config Config
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	keys, err := config.keys()
	if err != nil {
		return err
	}
	folder := config.Folder
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(filepath.Dir(configFile), folder)
	}
	store, err := openStore(folder)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:        config.Listen,
		Handler:     receive(keys, store),
		ReadTimeout: 20 * time.Second, // so that a caller who says nothing is not waited for
	}
	log.Printf("listening on %s", config.Listen)
	return server.ListenAndServe()
}

func receive(keys *Keys, store *Store) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		answer := func(status int, word string) {
			response.Header().Set("Content-Type", "text/plain")
			response.WriteHeader(status)
			io.WriteString(response, word)
		}
		if request.Method != http.MethodPost {
			answer(405, "method")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, largest))
		if err != nil {
			answer(413, "too_large")
			return
		}
		headers := map[string]string{}
		for name := range request.Header {
			headers[strings.ToLower(name)] = request.Header.Get(name)
		}
		notice, err := keys.open(headers, body, time.Now().Unix())
		if err != nil {
			log.Printf("refused: %s", err)
			answer(statusOf(err), err.Error())
			return
		}
		if notice.form.Kind == "challenge" {
			log.Print("answered a challenge")
			text, _ := json.Marshal(map[string]string{"challenge": notice.form.Challenge})
			answer(200, string(text))
			return
		}
		isNew, err := store.keep(notice)
		if err != nil {
			log.Printf("not stored: %s", err)
			answer(500, "cannot_store")
			return
		}
		log.Printf("%s %s %s", map[bool]string{true: "stored", false: "had"}[isNew], notice.id, notice.form.Kind)
		answer(200, "stored")
	}
}

// Refused says why a request is not to be trusted; a word of the table below.
type Refused string

func (reason Refused) Error() string { return string(reason) }

func statusOf(err error) int {
	var reason Refused
	if !errors.As(err, &reason) {
		return 500
	}
	return map[Refused]int{
		"content_type": 415, "id": 400, "timestamp": 401, "signature": 401, "jwe": 400,
		"audience": 403, "issued_at": 400, "ids_differ": 400, "form": 400,
		"recall_names_no_notice": 400,
	}[reason]
}

// check prints a line per vector that this program judges otherwise, and how many it has tried.
func check(files []string) int {
	tried, wrong := 0, 0
	compare := func(name, got, right string) {
		tried++
		if got != right {
			wrong++
			log.Printf("%s: %s, where %s is right", name, got, right)
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		var vectors struct {
			Receiver Config
			Requests []struct {
				Name, Body, Expect string
				Headers            map[string]string
				Now                int64
			}
			Standings []struct {
				Name    string
				Notices []Form
				Expect  map[string]string
			}
		}
		if err := json.Unmarshal(text, &vectors); err != nil {
			log.Fatal(err)
		}
		keys, err := vectors.Receiver.keys()
		if err != nil {
			log.Fatal(err)
		}
		for _, each := range vectors.Requests {
			compare(each.Name, keys.judge(each.Headers, each.Body, each.Now), each.Expect)
		}
		for _, each := range vectors.Standings {
			compare(each.Name, fmt.Sprint(standings(each.Notices)), fmt.Sprint(each.Expect))
		}
	}
	fmt.Printf("%d vectors, %d wrong\n", tried, wrong)
	if wrong > 0 || tried == 0 {
		return 1
	}
	return 0
}
