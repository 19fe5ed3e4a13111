package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// headers reads both forms of R3. A null header value becomes empty.
func headers(raw json.RawMessage) ([][2]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	switch raw[0] {
	case '{':
		return headerObject(raw)
	case '[':
		return headerList(raw)
	}
	return nil, errors.New(
		`reading record: headers: want {"name": "value"} or [{"key": "name", "value": "value"}]`)
}

// headerObject goes by tokens, because a Go map would lose the order.
func headerObject(raw json.RawMessage) ([][2]string, error) {
	var out [][2]string
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("reading record: headers: %w", err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading record: headers: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading record: headers: %w", err)
		}
		out = append(out, [2]string{fmt.Sprint(name), string(plain(value))})
	}
	return out, nil
}

func headerList(raw json.RawMessage) ([][2]string, error) {
	var list []struct {
		Key   *string         `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading record: headers: %w", err)
	}
	out := make([][2]string, 0, len(list))
	for i, h := range list {
		if h.Key == nil {
			return nil, fmt.Errorf("reading record: header %d has no \"key\"", i+1)
		}
		out = append(out, [2]string{*h.Key, string(plain(h.Value))})
	}
	return out, nil
}
