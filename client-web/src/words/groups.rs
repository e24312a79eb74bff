//! The words of groups.

words! {
    /// Groups of people.
    GroupWords {
        title: "Groups", "Gruppen";
        lead: "Share a memory with a group instead of naming everybody each time.", "Teile eine Erinnerung mit einer Gruppe, statt jedes Mal alle zu nennen.";
        none_heading: "No groups yet", "Noch keine Gruppen";
        none: "Make one for your family, your team or your friends.", "Leg eine an für deine Familie, dein Team oder deine Freunde.";
        yours: "yours", "deine";
        people_one: "1 other person", "1 weitere Person";
        people_many: "{} other people", "{} weitere Personen";
        new: "New group", "Neue Gruppe";
        name: "Name", "Name";
        name_label: "The name", "Der Name";
        name_rule: "", "Der Name hat 1 bis 100 Zeichen in einer Zeile, ohne Leerzeichen am Rand.";
        member_rule: "", "Diese Person kann nicht in die Gruppe.";
        member_label: "The person", "Die Person";
        create: "Make the group", "Gruppe anlegen";
        rename: "Rename", "Umbenennen";
        members: "Who is in it", "Wer darin ist";
        owner: "owns it", "verwaltet sie";
        you: "You", "Du";
        remove: "Remove", "Entfernen";
        leave: "Leave the group", "Gruppe verlassen";
        add: "Add", "Hinzufügen";
        delete: "Delete …", "Löschen …";
        delete_ask: "Nobody is reached through this group any more. Memories stay with their owners.", "Über diese Gruppe wird dann niemand mehr erreicht. Erinnerungen bleiben bei ihren Besitzern.";
        delete_now: "Delete the group", "Gruppe löschen";
        back: "All groups", "Alle Gruppen";
    }
}
