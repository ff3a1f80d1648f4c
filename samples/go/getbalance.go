// Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

type answer struct {
	Balance      json.Number // exact, whatever its size
	CodeResponse string
	ErrorMessage string
	UserID       json.Number
}

func getBalance(url, apiKey, secretKey string) (*answer, error) {
	body, err := json.Marshal(map[string]string{"ApiKey": apiKey, "SecretKey": secretKey})
	if err != nil {
		return nil, err
	}
	client := http.Client{
		Timeout: 10 * time.Second,
		// Keys must not follow a redirect.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Post(url+"/MainService.svc/json/GetBalance_json", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %s", response.Status)
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return nil, err
	}
	if a.CodeResponse != "100" {
		return nil, fmt.Errorf("code %s: %s", a.CodeResponse, a.ErrorMessage)
	}
	return &a, nil
}

func run() error {
	url, apiKey, secretKey := os.Getenv("ESMS_URL"), os.Getenv("ESMS_API_KEY"), os.Getenv("ESMS_SECRET_KEY")
	if apiKey == "" || secretKey == "" {
		return errors.New("set ESMS_API_KEY and ESMS_SECRET_KEY")
	}
	if url == "" {
		url = "https://rest.esms.vn"
	}
	a, err := getBalance(url, apiKey, secretKey)
	if err == nil {
		fmt.Printf("account %s has %s\n", a.UserID, a.Balance)
	}
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "no balance:", err)
		os.Exit(1)
	}
}
