//! The words of the connection to the Picard server.

words! {
    /// Connecting, and what is connected.
    ConnectionWords {
        connect_title: "Connect to Picard", "Mit Picard verbinden";
        connected_lead: "You are connected. Connecting again is only needed when something does not work any more.", "Du bist verbunden. Neu verbinden musst du dich nur, wenn etwas nicht mehr geht oder du mehr erlauben willst.";
        connect_lead: "Your memories live on a Picard server. Connect this application to it once; after that you need not think about it.", "Deine Erinnerungen liegen auf einem Picard-Server. Verbinde diese Anwendung einmal mit ihm; danach musst du nicht mehr daran denken.";
        allow_heading: "What you allow", "Was du erlaubst";
        read: "Read your memories", "Deine Erinnerungen lesen";
        read_more: ", private ones too, to show and search them here.", ", auch private, um sie hier zu zeigen und zu durchsuchen.";
        write: "Write your memories", "Deine Erinnerungen schreiben";
        write_more: ": add, change and delete them, and change who may see them, when you tell it to.", ": sie hinzufügen, ändern und löschen und ändern, wer sie sehen darf, wenn du es sagst.";
        gets_heading: "What the server gets", "Was der Server bekommt";
        gets_username: "Your username:", "Deinen Benutzernamen:";
        gets_email: "and your e-mail address.", "und deine E-Mail-Adresse.";
        gets_account: "If there is no account for you yet, one is made. Your password stays here.", "Wenn es noch kein Konto für dich gibt, wird eines angelegt. Dein Passwort bleibt hier.";
        kept: "The access is kept encrypted, never reaches your browser, and ends when you disconnect.", "Der Zugriff liegt verschlüsselt hier, erreicht nie deinen Browser und endet, wenn du die Verbindung trennst.";
        connect: "Connect", "Verbinden";
        connect_again: "Connect again", "Neu verbinden";
        read_only: "Only for reading", "Nur zum Lesen";
        not_now: "Not now", "Nicht jetzt";
        other_heading: "Or with an account that you have there", "Oder mit einem Konto, das du dort hast";
        other: "You sign in at the Picard server itself and allow this application there. Your password and your username there stay between you and the server.", "Du meldest dich beim Picard-Server selbst an und erlaubst dort diese Anwendung. Dein Passwort und dein Benutzername dort bleiben zwischen dir und dem Server.";
        other_button: "Sign in at the Picard server", "Beim Picard-Server anmelden";
        own_heading: "With your account at the Picard server", "Mit deinem Konto beim Picard-Server";
        new_heading: "Or with a new account there", "Oder mit einem neuen Konto dort";
        new: "It has no memories yet: those of the account that you used before stay there.", "Darin sind noch keine Erinnerungen: Die des Kontos, das du bisher benutzt hast, bleiben dort.";
        change_heading: "Another account", "Ein anderes Konto";
        change: "To connect with another account of the Picard server, disconnect first.", "Um dich mit einem anderen Konto beim Picard-Server zu verbinden, trenne zuerst die Verbindung.";
        made: "Made", "Hergestellt";
        made_here: "by this application, in your name", "von dieser Anwendung, in deinem Namen";
        made_there: "by you, at the Picard server", "von dir, beim Picard-Server";
        there: "an account at the Picard server", "ein Konto beim Picard-Server";
        operator: "This application is not registered at the Picard server yet. Whoever runs it has to do this once, as an administrator of the server, and start the application again:", "Diese Anwendung ist beim Picard-Server noch nicht registriert. Wer sie betreibt, muss das einmal als Administrator des Servers tun und die Anwendung neu starten:";
        operator_then: "That writes CLIENT_ID and CLIENT_SECRET into the file. Your account here is fine; come back later.", "Das schreibt CLIENT_ID und CLIENT_SECRET in die Datei. Mit deinem Konto hier ist alles in Ordnung; komm später wieder.";
        title: "Your connection", "Deine Verbindung";
        lead: "This application is connected to your account at the Picard server.", "Diese Anwendung ist mit deinem Konto beim Picard-Server verbunden.";
        account: "Account", "Konto";
        allowed: "Allowed", "Erlaubt";
        may_write: "write your memories", "deine Erinnerungen schreiben";
        may_nothing: "Nothing", "Nichts";
        since: "Since", "Seit";
        renewed: "Last renewed", "Zuletzt erneuert";
        stays: "Signing out keeps the connection, so that your memories are here when you come back. It is renewed by itself.", "Beim Abmelden bleibt die Verbindung, damit deine Erinnerungen da sind, wenn du wiederkommst. Sie erneuert sich von selbst.";
        disconnect_heading: "Disconnect", "Verbindung trennen";
        disconnect_lead: "The Picard server ends this application's access and the stored access is deleted here. Your memories stay on the server; connect again to see them here.", "Der Picard-Server beendet den Zugriff dieser Anwendung, und der gespeicherte Zugriff wird hier gelöscht. Deine Erinnerungen bleiben auf dem Server; verbinde dich neu, um sie hier zu sehen.";
        disconnect: "Disconnect …", "Trennen …";
        disconnect_ask: "Do you want to end the access now?", "Willst du den Zugriff jetzt beenden?";
        disconnect_now: "Disconnect now", "Jetzt trennen";
        none_heading: "Not connected", "Nicht verbunden";
        none: "This application has no access to your memories at the Picard server.", "Diese Anwendung hat keinen Zugriff auf deine Erinnerungen beim Picard-Server.";
        less: "Only reading from now on", "Ab jetzt nur noch lesen";
    }
}
