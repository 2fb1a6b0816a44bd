package ewhsapi

import (
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
