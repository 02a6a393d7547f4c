package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// Form is what this program reads of a notice. Members that are not known here are no mistake.
type Form struct {
	Form           string `json:"form"`
	Kind           string `json:"kind"`
	NoticeID       string `json:"notice_id"`
	ReferralNumber string `json:"referral_number"`
	Version        int    `json:"version"`
	Revision       int    `json:"revision"`
	Challenge      string `json:"challenge"`
	Supersedes     *int   `json:"supersedes"`
	Recipient      struct {
		AgencyID string `json:"agency_id"`
	} `json:"recipient"`
	Child struct {
		ChildID string `json:"child_id"`
	} `json:"child"`
	Consult struct {
		ConsultID string `json:"consult_id"`
	} `json:"consult"`
	Recall struct {
		NoticeID string `json:"notice_id"`
	} `json:"recall"`
}

// readForm reads a form, or a challenge, which asks whether we hold our key and is none.
func readForm(plaintext []byte) (Form, error) {
	var form Form
	if err := json.Unmarshal(plaintext, &form); err != nil {
		return form, Refused("form")
	}
	if form.Kind == "challenge" && idPattern.MatchString(form.Challenge) {
		return form, nil
	}
	if form.Kind == "" || form.NoticeID == "" || form.ReferralNumber == "" || form.Form == "" || form.Version == 0 {
		return form, Refused("form")
	}
	if form.Kind == "recall" && !idPattern.MatchString(form.Recall.NoticeID) {
		// Kept without the id that it asks back, it would say nothing, and nobody would be told.
		return form, Refused("recall_names_no_notice")
	}
	return form, nil
}

// series is what its versions are versions of; nothing of a kind without content.
func (form Form) series() string {
	kind := map[string]string{
		"original": "notice", "correction": "notice", "consult_outcome": "consult",
	}[form.Kind]
	if kind == "" {
		return ""
	}
	about := []string{form.Form, kind, form.Consult.ConsultID, form.ReferralNumber, form.Child.ChildID}
	return strings.Join(about, "\n")
}

func (form Form) rank() int { return form.Version*1_000_000 + form.Revision }

// standings says what each notice is now, by its id, in whatever order they came.
//
//	recalled    it was not meant for you: set it apart, call DCF
//	replaced    a higher version of the same thing, or a higher revision of that version, is here
//	withdrawn   the referral was, whatever else comes: do not act on it
//	outdated    you are no longer a recipient, and what you hold is not the latest
//	current     act on this
//	message     says something about other notices, or is of a kind that is new here: read it
func standings(forms []Form) map[string]string {
	recalled := map[string]bool{}
	for _, form := range forms {
		if form.Kind == "recall" {
			recalled[form.Recall.NoticeID] = true
		}
	}
	highest, outdated, withdrawn := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, form := range forms {
		switch {
		case form.Kind == "withdrawal":
			withdrawn[form.ReferralNumber+"\n"+form.Child.ChildID] = true
		case form.Kind == "supersession" && form.Supersedes != nil:
			note(outdated, form.ReferralNumber, *form.Supersedes)
		case form.Kind == "supersession":
			note(outdated, form.ReferralNumber, form.Version)
		case form.series() != "" && !recalled[form.NoticeID]:
			note(highest, form.series(), form.rank())
		}
	}
	found := map[string]string{}
	for _, form := range forms {
		referral := form.ReferralNumber
		standing := "current"
		switch {
		case recalled[form.NoticeID]:
			standing = "recalled"
		case form.series() == "":
			standing = "message"
		case form.rank() < highest[form.series()]:
			standing = "replaced"
		case withdrawn[referral+"\n"+form.Child.ChildID] || withdrawn[referral+"\n"]:
			standing = "withdrawn"
		case form.Version <= outdated[referral]:
			standing = "outdated"
		}
		found[form.NoticeID] = standing
	}
	return found
}

func note(highest map[string]int, key string, rank int) {
	highest[key] = max(rank, highest[key])
}

// Store is FOLDER/notices/ID.json, as it was decrypted, and FOLDER/standing.tsv, made of those.
type Store struct {
	lock    sync.Mutex
	folder  string
	notices string
	forms   []Form
}

func openStore(folder string) (*Store, error) {
	store := &Store{folder: folder, notices: filepath.Join(folder, "notices")}
	if err := os.MkdirAll(store.notices, 0o700); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(store.notices, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		form, err := readForm(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		store.forms = append(store.forms, form)
	}
	return store, store.writeStanding()
}

// keep returns once it is on the disk. False: it was there before; one id is kept once.
func (store *Store) keep(notice *Notice) (bool, error) {
	store.lock.Lock()
	defer store.lock.Unlock()
	file := filepath.Join(store.notices, notice.id+".json")
	_, err := os.Stat(file)
	isNew := os.IsNotExist(err)
	if isNew {
		if err := writeWhole(file, notice.plaintext); err != nil {
			return false, err
		}
		store.forms = append(store.forms, notice.form)
	}
	// Of a copy that an earlier life left, too.
	if err := syncPath(store.notices); err != nil {
		return false, err
	}
	return isNew, store.writeStanding()
}

// writeWhole makes the file appear with all its bytes on the disk, or not at all.
func writeWhole(file string, text []byte) error {
	half := file + ".half"
	if err := os.WriteFile(half, text, 0o600); err != nil {
		return err
	}
	if err := syncPath(half); err != nil {
		return err
	}
	return os.Rename(half, file)
}

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

func (store *Store) writeStanding() error {
	now := standings(store.forms)
	rows := make([]string, 0, len(store.forms))
	for _, form := range store.forms {
		about := []string{form.ReferralNumber, form.Child.ChildID, form.NoticeID}
		fields := append([]string{now[form.NoticeID], form.Kind, strconv.Itoa(form.Version)}, about...)
		rows = append(rows, strings.Join(about, "\t")+"\n"+strings.Join(fields, "\t"))
	}
	sort.Strings(rows)
	text := "standing\tkind\tversion\treferral\tchild\tnotice\n"
	for _, row := range rows {
		_, line, _ := strings.Cut(row, "\n")
		text += line + "\n"
	}
	half := filepath.Join(store.folder, "standing.half")
	if err := os.WriteFile(half, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(half, filepath.Join(store.folder, "standing.tsv"))
}
