package ewhsapi

import (
	"errors"
	"strings"

	"github.com/postrider/postrider"
)

// spellings gives the topics that a webhook of this group and action gets, the given one first. The
// seed writes "create" where the reference writes "created" (A002-5): these, and the pairs of update
// and delete, are one action. The webhook subscribes to both, so that it does not matter how it was
// registered, nor how the publisher spells the event; and an event keeps the topic that it was
// published with. docs/decisions/0006 tells what was decided against.
func spellings(group, action string) []postrider.Topic {
	topics := []postrider.Topic{postrider.Topic(group + "." + action)}
	if other := otherSpelling(action); other != "" {
		topics = append(topics, postrider.Topic(group+"."+other))
	}
	return topics
}

func otherSpelling(action string) string {
	switch action {
	case "create", "update", "delete":
		return action + "d"
	case "created", "updated", "deleted":
		return strings.TrimSuffix(action, "d")
	}
	return ""
}

// otherIsKnown judges a registration or a change with both spellings that was refused. Where the
// catalogue of topics is closed and has one of them, that one is enough: events of the other cannot
// be published.
func otherIsKnown(both []postrider.Topic, refused error) ([]postrider.Topic, bool) {
	told, is := errors.AsType[*postrider.Error](refused)
	if !is || told.Code != postrider.CodeInvalid || len(both) != 2 || len(told.Fields) != 1 {
		return nil, false
	}
	switch {
	case told.Fields["events[0]"] != "":
		return both[1:], true
	case told.Fields["events[1]"] != "":
		return both[:1], true
	}
	return nil, false
}

// groupAndAction reads back what spellings wrote. A webhook that REST gave several topics shows the
// first; one without a dot, such as "*", is a group without an action.
func groupAndAction(topics []postrider.Topic) (group, action string) {
	if len(topics) == 0 {
		return "", ""
	}
	first := string(topics[0])
	dot := strings.LastIndexByte(first, '.')
	if dot < 0 {
		return first, ""
	}
	return first[:dot], first[dot+1:]
}

// checkTopic notes what is wrong with a group and an action. A group may have dots, an action may not:
// so the topic can be taken apart again.
func checkTopic(faults *postrider.Faults, group, action string) {
	checkPart(faults, "group", "order", group)
	if strings.Contains(action, ".") {
		faults.Add("action", "has no dots; put them into the group")
	}
	checkPart(faults, "action", "created", action)
	for _, topic := range spellings(group, action) {
		if group != "" && action != "" && len(topic) > postrider.MaxTopicLength {
			faults.Add("group", "has, with a dot and the action, at most %d bytes", postrider.MaxTopicLength)
		}
	}
}

func checkPart(faults *postrider.Faults, field, example, text string) {
	if text == "" {
		faults.Add(field, "is required, such as %q", example)
		return
	}
	if err := postrider.Topic(text).Validate(); err != nil {
		faults.Add(field, "is made of letters, digits, \"_\" and \"-\", such as %q", example)
	}
}
