// Reads [{secret, headers, body, fresh}] and prints, for each, what the public library says.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	var cases []struct {
		Secret, Body string
		Headers      map[string]string
		Fresh        bool
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	said := []bool{}
	for _, each := range cases {
		webhook, err := standardwebhooks.NewWebhook(each.Secret)
		if err != nil {
			log.Fatal(err)
		}
		headers := http.Header{}
		for name, value := range each.Headers {
			headers.Set(name, value)
		}
		verify := webhook.VerifyIgnoringTimestamp
		if each.Fresh {
			verify = webhook.Verify
		}
		said = append(said, verify([]byte(each.Body), headers) == nil)
	}
	json.NewEncoder(os.Stdout).Encode(said)
}
