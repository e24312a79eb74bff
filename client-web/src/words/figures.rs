//! The words of activity and analytics.

words! {
    /// What happened, and figures.
    FigureWords {
        activity: "Activity", "Aktivität";
        activity_lead: "What you did, and who read your memories, the latest first.", "Was du getan hast und wer deine Erinnerungen gelesen hat, das Letzte zuerst.";
        everything: "Everything", "Alles";
        only_reads: "Who read my memories", "Wer meine Erinnerungen gelesen hat";
        nothing_heading: "Nothing yet", "Noch nichts";
        nothing: "What you and others do will be listed here.", "Was du und andere tun, steht dann hier.";
        by: "by {}", "von {}";
        through: "through {}", "über {}";
        memory: "Memory", "Erinnerung";
        read: "Memories were read", "Erinnerungen wurden gelesen";
        submitted: "Memories were written", "Erinnerungen wurden geschrieben";
        updated: "A memory was changed", "Eine Erinnerung wurde geändert";
        permissions: "Who may see a memory was changed", "Es wurde geändert, wer eine Erinnerung sehen darf";
        restored: "An earlier version was brought back", "Eine frühere Fassung wurde zurückgeholt";
        deleted: "A memory was deleted", "Eine Erinnerung wurde gelöscht";
        imported: "Memories were imported", "Erinnerungen wurden importiert";
        exported: "Memories were exported", "Erinnerungen wurden exportiert";
        signed_in: "Signed in at the Picard server", "Anmeldung beim Picard-Server";
        sign_in_failed: "A sign-in at the Picard server failed", "Eine Anmeldung beim Picard-Server schlug fehl";
        granted: "An application was connected", "Eine Anwendung wurde verbunden";
        ended: "A connection was ended", "Eine Verbindung wurde beendet";
        account: "The account was changed", "Das Konto wurde geändert";
        analytics: "Figures", "Zahlen";
        analytics_lead: "Your memories in figures. Only you see this.", "Deine Erinnerungen in Zahlen. Das siehst nur du.";
        total: "Memories", "Erinnerungen";
        expired: "of them expired", "davon abgelaufen";
        months: "Written in each month", "Geschrieben je Monat";
        month: "Month", "Monat";
        tags: "Most used tags", "Meistgenutzte Schlagwörter";
        categories: "Most used categories", "Meistgenutzte Kategorien";
        count: "Number", "Anzahl";
        who: "Who sees them", "Wer sie sieht";
        empty: "There is nothing to count yet.", "Es gibt noch nichts zu zählen.";
    }
}
